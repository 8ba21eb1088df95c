"""The language model behind the correlator's port: OpenAI-compatible servers, budget, redaction."""

from streams.llm.budget import Budget
from streams.llm.investigator import Investigator
from streams.llm.server import ModelServer

__all__ = ["Budget", "Investigator", "ModelServer"]
