"""Evidence packs, prompts, verification and the deterministic explanation; the model is behind a port."""
