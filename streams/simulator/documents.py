"""The JSON files of a recording: manifest, changes, alerts, labels, truth, and the diagram on the wiki."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from streams.simulator.graph import System
from streams.simulator.plan import Plan
from streams.simulator.truth import Shadow
from streams.simulator.writer import write_lines, write_object

SIGNALS = ("metrics", "edges", "logs", "changes", "alerts", "topology")
SOURCE = "headwater simulate"
NOTES = (
    "Simulated: a queueing network, not a measurement.",
    "arrivals.parquet says which samples arrived late, and when; the others came at once.",
    "Rows of edges.parquet whose server columns are all NaN come from client metrics alone: "
    "the callee emits no spans.",
)


def write_documents(
    out: Path,
    plan: Plan,
    end_ms: int,
    shadows: Sequence[Shadow],
    alerts: Sequence[dict[str, object]],
    unrest: Sequence[dict[str, object]],
) -> None:
    """Write every file of the recording that is not a table."""
    guilty = {f.change.id for f in plan.faults if f.change} | {c for f in plan.faults for c in f.contributing}
    innocent = [change.id for change in plan.changes if change.id not in guilty]
    changes = sorted(plan.changes, key=lambda change: (change.ts_s, change.id))
    write_lines(out / "changes.jsonl", (change.line() for change in changes))
    write_lines(out / "alerts.jsonl", sorted(alerts, key=lambda alert: (alert["ts_ms"], alert["id"])))
    # What harmed nobody and moved nothing was no fault; `truth.jsonl` still tells of it.
    write_lines(out / "labels.jsonl", (shadow.label() for shadow in shadows if shadow.harmful))
    write_lines(out / "truth.jsonl", (shadow.record(innocent) for shadow in shadows))
    write_object(out / "topology.json", declared_topology(plan.system))
    ignored = [*unrest, *(shadow.stretch() for shadow in shadows if shadow.spared)]
    if plan.cold_until_s > plan.start_s:
        cold = {"start_ms": round(plan.start_s * 1000), "end_ms": round(plan.cold_until_s * 1000)}
        ignored.insert(0, cold | {"why": "first sight of the system"})
    if ignored:
        write_lines(out / "ignore.jsonl", ignored)
    write_object(
        out / "recording.json",
        {
            "format": 1,
            "name": plan.name,
            "system": plan.system.name,
            "start_ms": round(plan.start_s * 1000),
            "end_ms": end_ms,
            "interval_s": plan.interval_s,
            "signals": list(SIGNALS),
            "source": SOURCE,
            "licence": "Apache-2.0",
            "notes": [*NOTES, *plan.notes],
            **plan.extra,
        },
    )


def declared_topology(system: System) -> dict[str, object]:
    """The diagram on the wiki: without what nobody drew, with what is no longer true."""
    hidden = {s.name for s in system.services if not s.declared}
    drawn: dict[tuple[str, str], dict[str, str]] = {}
    for edge in system.edges:
        if edge.declared and not {edge.caller, edge.callee} & hidden:
            schedule = {"schedule": edge.schedule} if edge.schedule else {}
            drawn[edge.caller, edge.callee] = schedule
    drawn |= {pair: {} for pair in system.stale_edges}
    return {
        "nodes": [{"service": s.name, "kind": s.kind} for s in system.services if s.declared],
        "edges": [
            {"caller": caller, "callee": callee, "source": "declared"} | more
            for (caller, callee), more in drawn.items()
        ],
    }
