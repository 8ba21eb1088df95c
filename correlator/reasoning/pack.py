"""The evidence pack: all that a model may know of an incident, and nothing else.

Made from the published incident alone, so that what was asked can be checked from what was said. Texts are
data: they are cut, stripped of control characters, and quoted by the prompt.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from correlator.incident import Hypothesis, Incident

SHOWN_HYPOTHESES = 3
SHOWN_EVIDENCE = 30
MOST_TEXT = 300


@dataclass(frozen=True, slots=True)
class Pack:
    """What a model sees, as plain JSON values; `records` maps every citable id to its text."""

    incident_id: str
    body: dict[str, Any]
    records: dict[str, str]
    services: frozenset[str]
    ceiling: float
    """Confidence of the first hypothesis: an answer may lower it only."""

    @property
    def digest(self) -> str:
        """Hash of the content, without id and times of publication: equal packs need one answer."""
        text = json.dumps(self.body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()


def pack(incident: Incident) -> Pack:
    """Build the pack of a revision; deterministic, a few kilobytes, strongest evidence first."""
    shown = incident.hypotheses[:SHOWN_HYPOTHESES]
    cited = {i for h in shown for f in h.factors for i in f.evidence}
    cited |= {i for h in shown for hop in h.chain for i in hop.evidence}
    lines = sorted(incident.evidence, key=lambda e: (e.id not in cited, -e.score, e.onset_ms, e.id))
    records = {e.id: clean(e.text) for e in lines[:SHOWN_EVIDENCE]}
    for hypothesis in shown:
        for factor in hypothesis.factors:
            for key in factor.evidence:
                records.setdefault(key, clean(factor.why))
    for innocent in incident.exonerated:
        if innocent.change_id is not None:
            records.setdefault(innocent.change_id, clean(innocent.reason))
    services = {h.service for h in shown} | set(incident.services)
    services |= {hop.source for h in shown for hop in h.chain} | {
        hop.target for h in shown for hop in h.chain
    }
    body: dict[str, Any] = {
        "what_is_wrong": clean(incident.title),
        "since_ms": incident.onset_ms,
        "hypotheses": [_hypothesis(h, records) for h in shown],
        "exonerated": [clean(e.reason) for e in incident.exonerated],
        "conflicts": [clean(c) for c in incident.conflicts],
        "not_checked": [clean(n) for n in incident.not_checked],
        "evidence": [{"id": key, "text": text} for key, text in sorted(records.items())],
    }
    ceiling = shown[0].confidence if shown else 0.0
    return Pack(incident.id, body, records, frozenset(services), ceiling)


def _hypothesis(hypothesis: Hypothesis, records: dict[str, str]) -> dict[str, Any]:
    return {
        "service": hypothesis.service,
        "kind": str(hypothesis.kind),
        "confidence": hypothesis.confidence,
        "summary": clean(hypothesis.summary),
        "factors": [
            {
                "name": f.name,
                "contribution": f.contribution,
                "why": clean(f.why),
                "evidence": [i for i in f.evidence if i in records],
            }
            for f in hypothesis.factors
        ],
        "chain": [
            {
                "from": hop.source,
                "to": hop.target,
                "lag_s": hop.lag_s,
                "evidence": [i for i in hop.evidence if i in records],
            }
            for hop in hypothesis.chain
        ],
        "others": [f"{o.role}: {clean(o.why)}" for o in hypothesis.others],
    }


def clean(text: str) -> str:
    r"""Cut a text and drop control characters, so that it stays one quoted line of data.

    Examples
    --------
    >>> clean("a\nb\x1b[31m")
    'a b [31m'
    """
    flat = "".join(c if c.isprintable() else " " for c in text)
    return flat if len(flat) <= MOST_TEXT else flat[: MOST_TEXT - 1] + "…"
