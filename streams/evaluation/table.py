"""The figures as tables for a person: one row a recording, a system and the total."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

COLUMNS = (
    "faults",
    "detected",
    "AC@1 (95 %)",
    "AC@3",
    "Avg@5",
    "final",
    "told 1/3/avg5",
    "false",
    "hours",
    "an hour (95 %)",
    "right",
    "extra",
    "delay",
    "abst.",
    "sure: prec/cov",
    "Brier skill",
    "ignored",
    "cand.",
)
LEGEND = (
    "detected: an incident opened within 5 min of the start (2 intervals, if longer) · AC@k: root among the "
    "first k, 5 min after opening; undetected and abstained are misses · final: AC@1 of the last ranking · "
    "told: the start is given · false: opened while no fault lasts and none just ended · right: right first "
    "names among opened · extra: further incidents a fault · sure: confidence ≥ .8"
)


def tables(result: Mapping[str, Any]) -> RenderableType:
    """Everything that `eval` prints without `--json`."""
    parts: list[RenderableType] = [_figures(result), Text(LEGEND, style="dim"), Text(), _baselines(result)]
    if "ablation" in result:
        parts += [Text(), _ablation(result["ablation"])]
    return Group(*parts)


def _rows(result: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any], str]]:
    rows = [(name, found, "") for name, found in result["recordings"].items()]
    if len(rows) > 1:
        rows += [(f"all {name}", found, "bold") for name, found in result["systems"].items()]
    if len(result["systems"]) > 1:
        rows.append(("total", result["total"], "bold"))
    return rows


def _figures(result: Mapping[str, Any]) -> Table:
    table = Table(title=f"headwater eval, {result['total']['wall_s']:.1f} s", title_justify="left")
    table.add_column("recording", no_wrap=True)
    for column in COLUMNS:
        table.add_column(column, justify="right")
    for name, f, style in _rows(result):
        told, sure = f["told"], f["confident"]
        table.add_row(
            name,
            str(f["faults"]),
            str(f["detected"]),
            f"{_share(f['ac1'])} {_pair(f['ac1_95'])}".strip(),
            _share(f["ac3"]),
            _share(f["avg5"]),
            _share(f["final"]["ac1"]),
            "/".join(_share(told[key]) for key in ("ac1", "ac3", "avg5")),
            str(f["false_incidents"]),
            f"{f['fault_free_hours']:.1f}",
            f"{_share(f['false_incidents_per_hour'])} {_pair(f['false_incidents_per_hour_95'])}".strip(),
            _share(f["right_among_opened"]),
            _share(f["unmatched_per_fault"]),
            "–" if f["median_delay_s"] is None else f"{f['median_delay_s']:.0f} s",
            str(f["abstained"]),
            f"{_share(sure['precision'])}/{_share(sure['coverage'])}",
            "–" if f["brier_skill"] is None else f"{f['brier_skill']:+.2f}",
            str(f["opened_in_ignored"]),
            str(f["candidates"]),
            style=style,
        )
    return table


def _baselines(result: Mapping[str, Any]) -> Table:
    """Simple rules on the same anomalies, beside headwater: AC@1 and Avg@5, blind and told."""
    names = list(result["total"]["baselines"])
    table = Table(
        title="the same anomalies, ranked by simple rules: AC@1 blind · told AC@1", title_justify="left"
    )
    table.add_column("recording", no_wrap=True)
    for column in ("headwater", *names):
        table.add_column(column.replace("_", " "), justify="right")
    for name, f, style in _rows(result):
        if f["faults"]:
            rules = (f, *(f["baselines"][rule] for rule in names))
            table.add_row(
                name, *(f"{_share(r['ac1'])} · {_share(r['told']['ac1'])}" for r in rules), style=style
            )
    return table


def _ablation(ablation: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Table:
    table = Table(
        title="one factor left out: detected, AC@1, told AC@1, false incidents", title_justify="left"
    )
    table.add_column("factors", no_wrap=True)
    for system in ablation["full"]:
        table.add_column(system, justify="right")
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
