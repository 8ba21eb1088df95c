"""Evidence packs, prompt, deterministic text, and the checks on what a model answers. No model in here."""

from correlator.reasoning.answer import Answer, Sentence, schema
from correlator.reasoning.explain import explain, headline, speaks_against, why_lower, why_not
from correlator.reasoning.pack import Pack, pack
from correlator.reasoning.port import Model, Reply, investigate
from correlator.reasoning.prompt import PromptMessage, prompt
from correlator.reasoning.verify import AnswerError, Verified, parse, verify

__all__ = [
    "Answer",
    "AnswerError",
    "Model",
    "Pack",
    "PromptMessage",
    "Reply",
    "Sentence",
    "Verified",
    "explain",
    "headline",
    "investigate",
    "pack",
    "parse",
    "prompt",
    "schema",
    "speaks_against",
    "verify",
    "why_lower",
    "why_not",
]
