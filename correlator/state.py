"""The engine's state as versioned JSON: everything, and nothing that can be recomputed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from correlator.evidence import Alert, Change, EvidenceItem
from correlator.evidence_window import Episode
from correlator.grouping import OpenIncident
from correlator.memory import Named
from correlator.topology import Fact
from detectors.anomaly import Anomaly

if TYPE_CHECKING:
    from correlator.engine import Engine, EngineConfig

VERSION = 2
_ITEM: TypeAdapter[EvidenceItem] = TypeAdapter(EvidenceItem)
_FACT = TypeAdapter(Fact)
_INCIDENT = TypeAdapter(OpenIncident)


def dump(engine: Engine) -> bytes:
    """Serialise; equal states give equal bytes."""
    memory, arrivals = engine.memory, engine.arrivals
    window = memory.window
    state: dict[str, Any] = {
        "version": VERSION,
        "domain": engine.domain,
        "watermark_ms": memory.watermark_ms,
        "born_ms": memory.born_ms,
        "sources": arrivals.sources,
        "arrivals": arrivals.count,
        "evicted_ms": memory.evicted_ms,
        "pending": [
            [at, key, n, _plain(item)] for at, key, n, item in sorted(arrivals.waiting, key=lambda p: p[:3])
        ],
        "episodes": [
            [
                *(_plain(e.anomaly), _packed(e.trace), e.worst),
                *(e.grown_until_ms, e.highest, e.grows_from_ms, e.climbed_ms),
            ]
            for mine in window.episodes.values()
            for e in mine.values()
        ],
        "live": list(memory.live),
        "changes": [_plain(c) for mine in window.changes.values() for c in mine.values()],
        "alerts": [_plain(a) for a in window.alerts.values()],
        "heard": sorted(window.heard),
        "felt": sorted(window.felt),
        "shed": window.shed,
        "facts": [_FACT.dump_python(f, mode="json", exclude_none=True) for f in memory.topology.facts()],
        "incidents": [
            _INCIDENT.dump_python(s, mode="json")
            | {"services": sorted(s.services), "evidence": sorted(s.evidence)}
            for s in memory.incidents.values()
        ],
        "past": [memory.past.named_right, memory.past.named_wrong],
        "calibration": memory.calibration.dump(),
        "named": [[key, said.at_ms, said.top, said.looks, said.judged] for key, said in memory.named.items()],
    }
    return json.dumps(state, separators=(",", ":"), ensure_ascii=False).encode()


def load(cls: type[Engine], state: bytes, config: EngineConfig | None) -> Engine:
    """Restore.

    Raises
    ------
    ValueError
        Damaged bytes, or a version that this code cannot read.
    """
    try:
        found = json.loads(state)
        version = found["version"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"correlator state is damaged: {error}") from None
    if version != VERSION:
        raise ValueError(f"correlator state has version {version}, this code reads {VERSION}")
    try:
        return _restore(cls, found, config)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"correlator state is damaged: {error!r}") from None


def _restore(cls: type[Engine], found: dict[str, Any], config: EngineConfig | None) -> Engine:
    engine = cls(found["domain"], config)
    memory, window = engine.memory, engine.memory.window
    memory.watermark_ms = found["watermark_ms"]
    memory.born_ms = found["born_ms"]
    engine.arrivals.sources = found["sources"]
    engine.arrivals.count = found["arrivals"]
    memory.evicted_ms = found["evicted_ms"]
    engine.arrivals.waiting = [
        (at, key, n, _ITEM.validate_python(item)) for at, key, n, item in found["pending"]
    ]
    for anomaly, trace, worst, *course in found["episodes"]:  # older states do not tell of climbing
        one = Anomaly.model_validate(anomaly)
        episode = Episode(one, _unpacked(trace), tuple(worst), *course)
        window.episodes.setdefault(one.service, {})[one.id] = episode
    by_id = {k: e for mine in window.episodes.values() for k, e in mine.items()}
    memory.live = {k: by_id[k] for k in found["live"] if k in by_id}
    for change in (Change.model_validate(c) for c in found["changes"]):
        window.changes.setdefault(change.service, {})[change.id] = change
    window.alerts = {a["id"]: Alert.model_validate(a) for a in found["alerts"]}
    window.heard = set(found["heard"])
    window.felt = set(found["felt"])
    window.shed = found["shed"]
    memory.topology.load_facts(_FACT.validate_python({**_OPEN, **f}) for f in found["facts"])
    memory.incidents = {s["id"]: _INCIDENT.validate_python(s) for s in found["incidents"]}
    memory.past.named_right, memory.past.named_wrong = found["past"]
    memory.calibration.restore(found["calibration"])
    memory.named = {key: Named(*said) for key, *said in found["named"]}
    return engine


_OPEN: dict[str, Any] = {
    "callee_kind": None,
    "valid_from_ms": None,
    "valid_to_ms": None,
    "schedule": None,
    "believed_to_ms": None,
}


def _packed(trace: list[tuple[int, float]]) -> list[float]:
    """A trace as its first time, then (step in ms, score) by turns: half the bytes of pairs."""
    flat: list[float] = []
    before = 0
    for ts, score in trace:
        flat += [ts - before, score]
        before = ts
    return flat


def _unpacked(flat: list[float]) -> list[tuple[int, float]]:
    trace, at = [], 0
    for step, score in zip(flat[::2], flat[1::2], strict=True):
        at += int(step)
        trace.append((at, float(score)))
    return trace


def _plain(item: EvidenceItem) -> dict[str, Any]:
    return item.model_dump(mode="json", exclude_defaults=True) | {"type": item.type}
