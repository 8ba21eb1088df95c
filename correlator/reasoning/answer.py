"""What an explanation is: claims in a fixed form, each with the evidence that it rests on."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

MOST_SENTENCE = 400
MOST_STEPS = 12


class Sentence(BaseModel):
    """One claim, and the ids of the evidence it cites."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str = Field(min_length=1, max_length=MOST_SENTENCE)
    evidence: tuple[str, ...] = Field(
        (), description="Ids from the pack; at least one for any claim of fact."
    )


class Answer(BaseModel):
    """An explanation; the schema that a model must fill, and that the deterministic text fills too."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    summary: Sentence
    steps: tuple[Sentence, ...] = Field((), max_length=MOST_STEPS)
    next_question: str = Field("", max_length=MOST_SENTENCE)
    order: tuple[str, ...] = Field(
        (), description="Services of the given hypotheses, most likely first; no others may be named."
    )
    confidence: float | None = Field(
        None, ge=0, le=1, description="May only lower the given one; a higher value is cut to it."
    )


def schema() -> dict[str, object]:
    """JSON Schema of `Answer`, for servers that can be held to one."""
    return Answer.model_json_schema()
