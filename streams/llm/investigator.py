"""Asking a model about one incident: within budget, once for the same content, and checked."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import structlog

from correlator.incident import Incident
from correlator.reasoning import AnswerError, Model, PromptMessage, Reply, Verified, investigate, pack
from streams import metrics
from streams.errors import ModelUnavailable
from streams.explanation import message_of
from streams.llm.budget import Budget
from streams.settings import ReasonSettings
from streams.wire.messages import Explanation, ModelUse

log = structlog.get_logger("headwater.reason")

Value = TypeVar("Value")

CACHED = 1_000
"""Answers kept by content; an explanation is a few kilobytes."""
REMEMBERED = 10_000
"""Incidents whose calls are counted."""
BREAK_S = 60.0
"""After a failure nobody asks for so long. A server that timed out is often still busy with that very
question: a local one was measured to need 20 s to let go of it."""


class Investigator:
    """Turns incidents into model explanations, or into None when the deterministic one has to do."""

    def __init__(
        self,
        model: Model,
        budget: Budget,
        settings: ReasonSettings,
        elapsed_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._model = model
        self._budget = budget
        self._settings = settings
        self._elapsed_s = elapsed_s
        self._broken_until_s = float("-inf")
        self._answers: dict[str, tuple[Verified, ModelUse]] = {}
        self._asked: dict[str, int] = {}

    async def explain(self, incident: Incident) -> Explanation | None:
        """Return a checked explanation by the model, or None; never raises for what a model may do."""
        packed = pack(incident)
        known = self._answers.get(packed.digest)
        if known is not None:
            metrics.LLM_REQUESTS.labels("cached").inc()
            return _explanation(incident, *known)
        refusal = self._refusal(incident.id)
        if refusal is not None:
            metrics.LLM_REQUESTS.labels(refusal).inc()
            return None
        counted = _Counted(self._model, self._budget, self._elapsed_s)
        try:
            try:
                verified, _ = await investigate(packed, counted)
            except AnswerError as error:
                verified, _ = await investigate(packed, _Repair(counted, str(error)))
        except AnswerError as error:
            metrics.LLM_REQUESTS.labels("wrong").inc()
            log.warning("the model's answer did not hold", incident_id=incident.id, reason=str(error))
            return None
        except (ModelUnavailable, _Spent) as error:
            self._broken_until_s = self._elapsed_s() + BREAK_S
            metrics.LLM_REQUESTS.labels("unavailable").inc()
            log.warning(
                "the model did not answer", incident_id=incident.id, reason=str(error), pause_s=BREAK_S
            )
            return None
        metrics.LLM_REQUESTS.labels("ok").inc()
        use = counted.use(self._settings, dropped=len(verified.dropped))
        _remember(self._answers, packed.digest, (verified, use), CACHED)
        return _explanation(incident, verified, use)

    def _refusal(self, incident_id: str) -> str | None:
        if self._elapsed_s() < self._broken_until_s:
            return "paused"
        asked = self._asked.get(incident_id, 0)
        if asked >= self._settings.max_calls_per_incident:
            return "enough"
        _remember(self._asked, incident_id, asked + 1, REMEMBERED)
        return None


def _explanation(incident: Incident, verified: Verified, use: ModelUse) -> Explanation:
    return message_of(incident, verified.answer, "model", use)


def _remember(memory: dict[str, Value], key: str, value: Value, limit: int) -> None:
    memory.pop(key, None)
    memory[key] = value
    if len(memory) > limit:
        del memory[next(iter(memory))]


class _Spent(Exception):
    """The day's calls are spent."""


class _Counted:
    """A model whose calls are paid from the budget and recorded."""

    def __init__(self, model: Model, budget: Budget, elapsed_s: Callable[[], float]) -> None:
        self._model = model
        self._budget = budget
        self._elapsed_s = elapsed_s
        self._replies: list[Reply] = []
        self._took_s = 0.0

    async def ask(self, messages: list[PromptMessage]) -> Reply:
        if not self._budget.take():
            raise _Spent("the day's calls are spent (reason.max_calls_per_day)")
        began_s = self._elapsed_s()
        try:
            reply = await self._model.ask(messages)
        finally:
            took_s = self._elapsed_s() - began_s
            self._took_s += took_s
            metrics.LLM_SECONDS.observe(took_s)
        metrics.LLM_TOKENS.labels("input").inc(reply.input_tokens)
        metrics.LLM_TOKENS.labels("output").inc(reply.output_tokens)
        self._replies.append(reply)
        return reply

    def use(self, settings: ReasonSettings, dropped: int) -> ModelUse:
        given = sum(reply.input_tokens for reply in self._replies)
        got = sum(reply.output_tokens for reply in self._replies)
        usd = given * settings.usd_per_million_input_tokens + got * settings.usd_per_million_output_tokens
        return ModelUse(
            model=self._replies[-1].model,
            calls=len(self._replies),
            input_tokens=given,
            output_tokens=got,
            usd=usd / 1e6,
            duration_s=round(self._took_s, 3),
            dropped_sentences=dropped,
        )


class _Repair:
    """The same model, told what was wrong with its first answer."""

    def __init__(self, model: Model, reason: str) -> None:
        self._model = model
        self._reason = reason

    async def ask(self, messages: list[PromptMessage]) -> Reply:
        again = f"Your last answer was refused: {self._reason}. Answer again, by the rules."
        return await self._model.ask([*messages, PromptMessage(role="user", content=again)])
