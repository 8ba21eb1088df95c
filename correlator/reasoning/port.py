"""The door to a model: whoever opens it lives outside, so that nothing in here knows one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from correlator.reasoning.pack import Pack
from correlator.reasoning.prompt import PromptMessage, prompt
from correlator.reasoning.verify import Verified, parse, verify


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model said, and what it cost."""

    text: str
    model: str = ""
    input_tokens: int = 0
    output_tokens: int = 0


class Model(Protocol):
    """Whatever answers a prompt."""

    async def ask(self, messages: list[PromptMessage]) -> Reply:
        """Return the reply; raise on failure, never invent one."""
        ...


async def investigate(pack: Pack, model: Model) -> tuple[Verified, Reply]:
    """Ask once, and let through only what the pack bears out.

    Raises
    ------
    AnswerError
        The reply is not of the schema, or its summary does not hold. What `model` raises passes through.
    """
    reply = await model.ask(prompt(pack))
    return verify(parse(reply.text), pack), reply
