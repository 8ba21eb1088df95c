"""Every claim is checked by code: what cites nothing, or says what its evidence does not, is dropped."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pydantic import ValidationError

from correlator.reasoning.answer import Answer, Sentence
from correlator.reasoning.pack import Pack

_NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:[.,:]\d+)*")
_NAME = re.compile(r"[A-Za-z0-9][\w./@:-]*[\w]")
_ID = re.compile(r"\b(?:an|hw)-[0-9a-f]{6,}\b")


class AnswerError(ValueError):
    """The answer is not of the schema, or nothing of it survived the checks."""


@dataclass(frozen=True, slots=True)
class Verified:
    """What is left of an answer."""

    answer: Answer
    dropped: tuple[str, ...]
    """Why each dropped sentence went, one line each."""


def parse(text: str) -> Answer:
    """Read a model's JSON, with or without a code fence around it.

    Raises
    ------
    AnswerError
        Not JSON, or not of the schema.
    """
    stripped = text.strip()
    if stripped.startswith("```"):
        stripped = stripped.strip("`").removeprefix("json").strip()
    try:
        return Answer.model_validate_json(stripped)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "answer"
        raise AnswerError(f"{where}: {first['msg']}") from None


def verify(answer: Answer, pack: Pack) -> Verified:
    """Keep the sentences whose citations hold; order and confidence within what was given.

    A sentence goes when it cites nothing or an id outside the pack, or when it holds a number, or names a
    service, that stands neither in the cited records nor in the cited hypotheses' own lines.

    Raises
    ------
    AnswerError
        The summary itself does not hold.
    """
    dropped: list[str] = []
    reason = _wrong(answer.summary, pack)
    if reason is not None:
        raise AnswerError(f"summary: {reason}")
    steps = []
    for step in answer.steps:
        reason = _wrong(step, pack)
        if reason is None:
            steps.append(step)
        else:
            dropped.append(f"{step.text[:60]!r}: {reason}")
    given = [h["service"] for h in pack.body["hypotheses"]]
    order = tuple(dict.fromkeys(s for s in answer.order if s in given))
    confidence = None if answer.confidence is None else min(answer.confidence, pack.ceiling)
    question = answer.next_question
    if _strangers(question, pack):
        dropped.append(f"{question[:60]!r}: names what was not given")
        question = ""
    kept = Answer(
        summary=answer.summary,
        steps=tuple(steps),
        next_question=question,
        order=order,
        confidence=confidence,
    )
    return Verified(kept, tuple(dropped))


def _wrong(sentence: Sentence, pack: Pack) -> str | None:
    """Why a sentence cannot stand, or None."""
    if not sentence.evidence:
        return "cites nothing"
    unknown = [i for i in sentence.evidence if i not in pack.records]
    if unknown:
        return f"cites {unknown[0]}, which was not given"
    cited = " ".join(pack.records[i] for i in sentence.evidence) + " " + _said_of(sentence.evidence, pack)
    text = _ID.sub(" ", sentence.text)
    numbers = set(_NUMBER.findall(cited))
    for service in pack.services:
        text = text.replace(service, " ")
    for number in _NUMBER.findall(text):
        if number not in numbers and number.lstrip("+-") not in {n.lstrip("+-") for n in numbers}:
            return f"{number} does not stand in the evidence that it cites"
    stranger = _strangers(sentence.text, pack)
    return f"names {stranger}, which was not given" if stranger else None


def _said_of(ids: tuple[str, ...], pack: Pack) -> str:
    """The factor and chain lines that rest on any of the ids: they may be quoted with them."""
    wanted = set(ids)
    said = []
    for hypothesis in pack.body["hypotheses"]:
        touched = False
        for factor in hypothesis["factors"]:
            if wanted & set(factor["evidence"]):
                said.append(factor["why"])
                touched = True
        for hop in hypothesis["chain"]:
            if wanted & set(hop["evidence"]):
                said.append(f"{abs(hop['lag_s']):g} {hop['lag_s']:g} {abs(hop['lag_s']):.0f}")
        if touched:
            said.append(hypothesis["summary"])
    return " ".join(said)


def _strangers(text: str, pack: Pack) -> str | None:
    """A word shaped like a service's name (with a dash, dot or slash inside) that the pack does not hold."""
    known = " ".join([*pack.records.values(), *pack.services, pack.body["what_is_wrong"]])
    known += " ".join(h["summary"] for h in pack.body["hypotheses"]) + " ".join(pack.body["exonerated"])
    for word in map(str, _NAME.findall(text)):
        shaped = re.search(r"[a-z0-9][-_/@][a-z0-9]", word, re.IGNORECASE) or word.endswith("service")
        if shaped and not _ID.fullmatch(word) and word not in known and word.lower() not in _WORDS:
            return word
    return None


_WORDS = frozenset({"service", "and/or", "root-cause", "so-called", "follow-up", "up-to-date", "start-up"})
