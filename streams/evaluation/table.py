"""The figures as tables for a person: one row a recording, a system and the total."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

FOUND = ("faults", "detected", "AC@1 (95 %)", "AC@3", "Avg@5", "final", "told AC@1", "AC@3", "Avg@5", "delay")
TRUST = (
    "opened",
    "right",
    "false",
    "hours",
    "false/h (95 %)",
    "extra",
    "ignored",
    "abst.",
    "sure",
    "of",
    "Brier sk.",
    "cand.",
)
LISTED = 40
"""Recordings listed one by one; of more only systems and total are read by anyone (`--json` has them all)."""
LEGEND = (
    "detected: an incident opened within 5 min of the start (2 intervals, if longer) · AC@k: root among the "
    "first k, 5 min after opening; undetected and abstained are misses · final: AC@1 of the last ranking · "
    "told: the start is given · right: right first names among opened · false: opened while no fault lasts "
    "and none just ended · extra: further incidents a fault · ignored: opened where labels are incomplete, "
    "neither right nor false · sure: right at confidence ≥ .8, and of what share of the opened"
)


def tables(result: Mapping[str, Any]) -> RenderableType:
    """Everything that `eval` prints without `--json`."""
    parts: list[RenderableType] = [
        _found(result),
        Text(),
        _trust(result),
        Text(LEGEND, style="dim"),
        Text(),
        _baselines(result),
    ]
    if "ablation" in result:
        parts += [Text(), _ablation(result["ablation"])]
    return Group(*parts)


def _rows(result: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any], str]]:
    rows = [(name, found, "") for name, found in result["recordings"].items()]
    systems = Counter(found["system"] for _, found, _ in rows)
    if len(rows) > LISTED:
        rows = []
    rows += [
        (f"all {name}", found, "bold")
        for name, found in result["systems"].items()
        if (systems[name] > 1 or not rows) and len(systems) <= LISTED
    ]
    if len(systems) > 1:
        rows.append(("total", result["total"], "bold"))
    return rows


def _found(result: Mapping[str, Any]) -> Table:
    """Whether faults are seen and their roots named."""
    title = f"faults and their roots ({result['total']['wall_s']:.1f} s)"
    table = _table(title, FOUND)
    for name, f, style in _rows(result):
        told = f["told"]
        table.add_row(
            name,
            str(f["faults"]),
            str(f["detected"]),
            f"{_share(f['ac1'])} {_pair(f['ac1_95'])}".strip(),
            _share(f["ac3"]),
            _share(f["avg5"]),
            _share(f["final"]["ac1"]),
            _share(told["ac1"]),
            _share(told["ac3"]),
            _share(told["avg5"]),
            "–" if f["median_delay_s"] is None else f"{f['median_delay_s']:.0f} s",
            style=style,
        )
    return table


def _trust(result: Mapping[str, Any]) -> Table:
    """Whether what is said can be believed."""
    table = _table("incidents and their trust", TRUST)
    for name, f, style in _rows(result):
        sure = f["confident"]
        table.add_row(
            name,
            str(f["opened"]),
            _share(f["right_among_opened"]),
            str(f["false_incidents"]),
            f"{f['fault_free_hours']:.1f}",
            f"{_share(f['false_incidents_per_hour'])} {_pair(f['false_incidents_per_hour_95'])}".strip(),
            _share(f["unmatched_per_fault"]),
            str(f["opened_in_ignored"]),
            str(f["abstained"]),
            _share(sure["precision"]),
            _share(sure["coverage"]),
            "–" if f["brier_skill"] is None else f"{f['brier_skill']:+.2f}",
            str(f["candidates"]),
            style=style,
        )
    return table


def _table(title: str, columns: Sequence[str], first: str = "recording") -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(first, no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _baselines(result: Mapping[str, Any]) -> Table:
    """Simple rules on the same anomalies, beside headwater: AC@1 and Avg@5, blind and told."""
    names = list(result["total"]["baselines"])
    table = _table(
        "the same anomalies, ranked by simple rules: AC@1 blind · told",
        ["headwater", *(name.replace("_", " ") for name in names)],
    )
    for name, f, style in _rows(result):
        if f["faults"]:
            rules = (f, *(f["baselines"][rule] for rule in names))
            table.add_row(
                name, *(f"{_share(r['ac1'])} · {_share(r['told']['ac1'])}" for r in rules), style=style
            )
    return table


def _ablation(ablation: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Table:
    title = "one factor left out: detected · AC@1 · told AC@1 · false incidents"
    table = _table(title, list(ablation["full"]), first="factors")
    for name, groups in ablation.items():
        table.add_row(
            name,
            *(
                f"{f['detected']} · {_share(f['ac1'])} · {_share(f['told_ac1'])} · {f['false_incidents']}"
                for f in groups.values()
            ),
        )
    return table


def _share(value: float | None) -> str:
    """Three digits without the leading nought, as the field prints its tables."""
    if value is None:
        return "–"
    text = f"{value:.3f}"
    return text[1:] if text.startswith("0.") else text


def _pair(interval: list[float] | None) -> str:
    return "" if interval is None else f"({_share(interval[0])}–{_share(interval[1])})"
