"""Where enriched alerts go."""
