"""What really happened: a second plant without the fault runs beside, and the difference is the truth."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streams.simulator.changes import Change
from streams.simulator.graph import System
from streams.simulator.state import State
from streams.simulator.strain import Press


@dataclass(frozen=True)
class Fault:
    """One fault: what it does to the plant, where and when, and what belongs to it."""

    fault_id: str
    kind: str
    root_service: str
    start_s: float
    end_s: float
    presses: tuple[Press, ...]
    change: Change | None = None
    """The change that is the root, if one is."""
    trigger: str = ""
    contributing: tuple[str, ...] = ()
    blind: bool = False
    """By construction the emitted telemetry fits several roots equally well."""


SIGNS: dict[str, tuple[float, float]] = {
    # sign: (absolute difference that counts, relative difference that counts); both must be exceeded
    "cpu": (0.08, 0.25),
    "memory": (1.5e7, 0.1),
    "p95_s": (0.004, 0.35),
    "error_rate": (0.01, 1.0),
    "rate": (1.0, 0.3),
    "io_util": (0.08, 0.4),
    "lock_wait_s": (0.002, 1.0),
    "cache_mem": (1.5e7, 0.1),
    "hit_now": (0.03, 0.03),
    "pending": (2.0, 1.0),
    "used": (4.0, 1.0),
    "depth": (60.0, 2.0),
    "gap_s": (0.003, 0.5),
    "refused": (0.02, 1.0),
    "up_share": (0.2, 0.2),
}
FROM_OUTSIDE = ("p95_s", "error_rate", "rate", "gap_s", "refused")
"""Signs that callers' spans and client metrics show of a service that emits no metrics."""
FELT = frozenset({"p95_s", "error_rate", "gap_s", "refused"})
"""Signs of a service that its callers wait for or fail on."""
SUFFERING = frozenset({"p95_s", "error_rate", "pending", "used"})
"""Signs of waiting for callees, or of failing on them."""
SYMPTOMS = ("p95_s", "error_rate", "pending", "used", "rate", "depth")
"""Signs that a mere sufferer shows too."""
OF_LOAD = ("rate", "cpu", "memory", "io_util")
"""Signs that mere demand leaves wherever it comes along."""
SPOKEN_OF_S = 300.0
"""How long after its end a fault may still be spoken of, as labels allow."""
PERSISTENT = 2
HARM = 0.1


@dataclass
class Shadow:
    """Follows one fault: keeps the undisturbed plant and dates each service's first deviation."""

    system: System
    fault: Fault
    state: State
    observed: NDArray[np.bool_]
    """Which rows of the plant's edges any span or client metric shows."""
    seen: dict[str, dict[str, float]] = field(default_factory=dict)
    """Service to sign to the second at which it was first seen to deviate."""
    worst: NDArray[np.float64] = field(init=False)
    """How much worse off each service was at its worst: logarithm of its p95, and four times its errors."""
    _runs: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    """Sign to the number of intervals for which each service has deviated by now."""

    def __post_init__(self) -> None:
        self.worst = np.zeros(len(self.system.services))
        self._bears = np.array([service.kind == "service" for service in self.system.services])

    def compare(self, real: State, now_s: float, interval_s: float) -> None:
        """Note what differs at the end of an interval."""
        mine, theirs = _signs(real, self.observed), _signs(self.state, self.observed)
        for sign, (absolute, relative) in SIGNS.items():
            difference = np.abs(mine[sign] - theirs[sign])
            off = (difference > absolute) & (difference > relative * np.abs(theirs[sign]))
            runs = self._runs[sign] = np.where(off, self._runs.get(sign, 0) + off, 0)
            for row in np.nonzero(runs == PERSISTENT)[0]:
                first = now_s - (PERSISTENT - 1) * interval_s
                self.seen.setdefault(self.system.services[row].name, {}).setdefault(sign, first)
        ratio = np.log(np.maximum(mine["p95_s"], 1e-6) / np.maximum(theirs["p95_s"], 1e-6))
        worse = np.maximum(ratio, 0.0) + 4.0 * np.maximum(mine["error_rate"] - theirs["error_rate"], 0.0)
        self.worst = np.maximum(self.worst, np.where(self._bears, worse, 0.0))

    @property
    def symptom(self) -> str | None:
        """Of the services that it reached the one that suffers most, by latency and errors, if any does.

        What differed for a single interval was not reached: no way would lead there.
        """
        reached = {hop["service"] for hop in self._path()}
        hit = np.array([service.name in reached for service in self.system.services])
        worst = np.where(hit, self.worst, 0.0)
        loudest = worst.max(initial=0.0)
        names = (self.system.services[row].name for row in np.nonzero(worst == loudest)[0])
        return min(names) if loudest > HARM else None

    @property
    def harmful(self) -> bool:
        """Whether anybody was worse off, by a tenth in latency or a fortieth of all requests failed."""
        return bool(self.worst.max(initial=0.0) > HARM)

    @property
    def spared(self) -> bool:
        """Whether it leaked memory, or killed instances, but was over before it harmed anybody."""
        signs = self.seen.get(self.fault.root_service, {})
        leaks = any(press.field == "leak" for press in self.fault.presses)
        return not self.harmful and ("up_share" in signs or (leaks and "memory" in signs))

    def stretch(self) -> dict[str, object]:
        """As `ignore.jsonl` has a fault that is no label, though whoever speaks of it is not wrong."""
        return {
            "start_ms": round(self.fault.start_s * 1000),
            "end_ms": round((self.fault.end_s + SPOKEN_OF_S) * 1000),
            "why": f"{self.fault.kind} of {self.fault.root_service}: nobody was worse off yet",
        }

    def label(self) -> dict[str, object]:
        """As `labels.jsonl` has it."""
        change = self.fault.change
        return {
            "fault_id": self.fault.fault_id,
            "start_ms": round(self.fault.start_s * 1000),
            "end_ms": round(self.fault.end_s * 1000),
            "root_service": self.fault.root_service,
            "root_change_id": change.id if change else None,
            "fault_kind": self.fault.kind,
            "symptom_service": self.symptom,
        }

    def record(self, innocent: list[str]) -> dict[str, object]:
        """As `truth.jsonl` has it."""
        root = self.fault.root_service
        emitted = self._emitted()
        own = emitted.get(root, {})
        first = min((t for signs in emitted.values() for t in signs.values()), default=None)
        return self.label() | {
            "trigger": self.fault.trigger or (self.fault.change.summary if self.fault.change else ""),
            "contributing": list(self.fault.contributing),
            "path": self._path(),
            "signs": {
                name: {sign: round(t * 1000) for sign, t in sorted(signs.items(), key=lambda item: item[1])}
                for name, signs in sorted(self.seen.items())
            },
            "innocent_changes": innocent,
            "observable_ms": None if first is None else round(first * 1000),
            "tellable": self.harmful and self._tellable(own),
            "harmful": self.harmful,
        }

    def _emitted(self) -> dict[str, dict[str, float]]:
        """What was seen, as far as any telemetry shows it."""
        shown = {}
        for name, signs in self.seen.items():
            outside = FROM_OUTSIDE if self._watched_from_outside(name) else ()
            if not self.system.service(name).monitored:
                signs = {sign: first for sign, first in signs.items() if sign in outside}
            if signs:
                shown[name] = signs
        return shown

    def _watched_from_outside(self, name: str) -> bool:
        return any(e.callee == name and e.observed for e in self.system.edges)

    def _tellable(self, own: dict[str, float]) -> bool:
        """Whether emitted telemetry singles out the root.

        It does by a sign of the root's own that no sufferer shows, or when nothing that the root depends
        on deviates; not where the root shows only the demand that all others show as well.
        """
        own = {sign: first for sign, first in own.items() if sign not in self._passing}
        if self.fault.blind or not own:
            return False
        root = self.system.service(self.fault.root_service)
        if root.monitored and any(sign not in SYMPTOMS for sign in own):
            return True
        if "rate" in own and all(press.where == "load" for press in self.fault.presses):
            return True
        callees = {e.callee for e in self.system.edges if e.caller == root.name and e.observed}
        return not any(sign in ("p95_s", "error_rate") for c in callees for sign in self.seen.get(c, {}))

    @property
    def _passing(self) -> tuple[str, ...]:
        """Signs that say nothing of how the fault spreads, where more requests are only what sets it off."""
        driven = any(press.where == "load" for press in self.fault.presses)
        entrance = not self.system.callers(self.fault.root_service)
        return OF_LOAD if driven and not entrance else ()

    def _path(self) -> list[dict[str, object]]:
        """Deviating services reachable from the root over deviating neighbours, with their first times."""
        lasting = {
            name: [first for sign, first in signs.items() if sign not in self._passing]
            for name, signs in self.seen.items()
        }
        when = {name: min(firsts) for name, firsts in lasting.items() if firsts}
        root = self.fault.root_service
        when.setdefault(root, self.fault.start_s)
        reached: dict[str, str | None] = {root: None}
        struck = self._struck()
        frontier = [(when[root], 0, root)]
        order: list[str] = []
        while frontier:
            # Of several neighbours the one that deviated first has passed it on.
            _, _, current = heapq.heappop(frontier)
            order.append(current)
            callers = [e.caller for e in self.system.edges if e.callee == current]
            consumers = [t.consumer for t in self.system.topics if t.broker == current]
            callees = [e.callee for e in self.system.edges if e.caller == current]
            beside = struck if current == root else []
            for name in dict.fromkeys(callers + consumers + callees + beside):
                if name in when and name not in reached:
                    reached[name] = current
                    heapq.heappush(frontier, (when[name], len(reached), name))
        return [
            {
                "service": name,
                "from": reached[name],
                "also_from": [] if name == root else self._felt_through(name, reached, when),
                "first_ms": round(when[name] * 1000),
            }
            for name in sorted(order, key=lambda n: (when[n], order.index(n)))
        ]

    def _felt_through(self, name: str, reached: dict[str, str | None], when: dict[str, float]) -> list[str]:
        """Other callees that a service suffers by: callers wait for, or fail on, what users feel of a callee.

        A way that was open as well is no worse an account of how it came about than the first one.
        """
        if not self.seen[name].keys() & SUFFERING:
            return []
        callees = dict.fromkeys(e.callee for e in self.system.edges if e.caller == name)
        return [
            callee
            for callee in callees
            if callee in reached
            and callee != reached[name]
            and when[callee] <= when[name]
            and self.seen.get(callee, {}).keys() & FELT
        ]

    def _struck(self) -> list[str]:
        """Services that the fault strikes beside its root, over no call: on its machine, in its fabric."""
        linked = {name for e in self.system.edges for name in (e.caller, e.callee)}
        alone = self.fault.root_service not in linked
        rows: set[int] = set()
        for press in self.fault.presses:
            if press.where == "machine":
                on = np.isin(self.state.instance["machine"], press.rows)
                rows |= set(self.state.instance["service"][on].tolist())
            elif alone and press.where == "service":
                rows |= set(press.rows)
            elif alone and press.where == "edge":
                rows |= set(self.state.edge["caller"][list(press.rows)].tolist())
        return [self.system.services[row].name for row in sorted(rows)]


def _signs(state: State, observed: NDArray[np.bool_]) -> dict[str, NDArray[np.float64]]:
    svc, inst, edge = state.service, state.instance, state.edge
    count = len(svc)
    cpu = np.bincount(inst["service"], inst["cpu"], count)
    memory = np.zeros(count)
    np.maximum.at(memory, inst["service"], inst["memory"])
    pending = np.bincount(edge["caller"], edge["pending"], count)
    used = np.bincount(edge["caller"], np.where(edge["size"] > 0, edge["used"], 0.0), count)
    gap = np.zeros(count)
    np.maximum.at(gap, edge["callee"], (edge["p95_s"] - edge["server_p95_s"]) * observed)
    refused = np.zeros(count)
    np.maximum.at(
        refused, edge["callee"], edge["fail"] * (svc["error_rate"][edge["callee"]] < 0.01) * observed
    )
    depth = np.bincount(state.topic["consumer"], state.topic["depth"], count)
    found: dict[str, NDArray[Any]] = {
        "cpu": cpu,
        "memory": memory,
        "pending": pending,
        "used": used,
        "depth": depth,
    }
    found |= {"gap_s": gap, "refused": refused}
    return found | {name: svc[name].copy() for name in SIGNS if name not in found}


def rows_of(system: System, state: State, name: str) -> tuple[int, ...]:
    """Instance rows of a service, for a `Press` on them."""
    first = int(state.service["first"][system.index(name)])
    return tuple(range(first, first + int(state.service["count"][system.index(name)])))
