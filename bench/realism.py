"""Compare simulated telemetry with recorded telemetry, statistic by statistic, and draw the page's plots.

python bench/realism.py RECORDINGS_FOLDER [--json] [--svg docs/realism.svg]

RECORDINGS_FOLDER holds recordings of real systems (docs/realism.md names them). Simulated ones are made
on the fly, fault-free, at the same sampling interval. Every statistic is computed per series and summed up
as quartiles over series, so that one loud service cannot speak for all.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from streams.simulator import CampaignOptions, Options, simulate
from streams.simulator.campaign import campaign_plan
from streams.simulator.scenarios import SCENARIOS

FAMILIES = {
    "cpu": r"cpu_usage_(pct|millicores)$|pod\.cpu|container_cpu",
    "memory": r"memory_usage_(pct|mib)$|memory\.working_set|container_memory",
    "latency p95": r"latency_server_p95|latency_p95|duration\.p95|duration_seconds_p95",
    "latency p99": r"latency_server_p99|latency_p99|duration\.p99|duration_seconds_p99",
    "load": r"workload_ops|requests$|request\.count|requests_total",
    "network": r"network_receive_bytes$|network\.receive|network_receive_bytes_total",
}
REAL = {
    # name: (folder, interval in seconds)
    "online-boutique": ("online-boutique-0821", 60.0),
    "train-ticket": ("train-ticket-0127", 60.0),
    "petshop": ("petshop-train/noissue-high", 300.0),
}
WINDOW = 60
"""Samples in a window: an hour at a minute. Levels and trends beyond it are the day's shape, not noise."""

COLOURS = ("#1b6ca8", "#0a9396", "#94a3b8", "#d1495b", "#edae49")

Series = NDArray[np.float64]
Table = dict[str, dict[str, dict[str, tuple[float, float, float]]]]


def series_of(path: Path, pattern: str) -> Iterator[tuple[str, NDArray[np.int64], Series]]:
    """(service, times, values) of each series whose metric matches; counters become increments."""
    table = pq.read_table(
        path / "metrics.parquet", columns=["ts_ms", "service", "instance", "metric", "kind", "value"]
    )
    names = table["metric"].to_pylist()
    keep = np.array([bool(re.search(pattern, name)) for name in names])
    if not keep.any():
        return
    table = table.filter(keep)
    keys = list(zip(*(table[c].to_pylist() for c in ("service", "instance", "metric", "kind")), strict=True))
    ts, value = table["ts_ms"].to_numpy(), table["value"].to_numpy()
    rows: dict[tuple[str, str | None, str, str], list[int]] = {}
    for row, key in enumerate(keys):
        rows.setdefault(key, []).append(row)
    for (service, _, _, kind), mine in sorted(rows.items(), key=str):
        t, x = ts[mine], value[mine]
        if kind == "counter":
            t, x = t[1:], np.maximum(np.diff(x), 0.0)
        fine = np.isfinite(x)
        if fine.sum() >= 2 * WINDOW and np.percentile(x[fine], 2) > 0 and np.ptp(x[fine]) > 0:
            yield service, t[fine], x[fine]


def detrended(x: Series) -> Series:
    """Residuals from the running median over a window, as a share of it."""
    windows = np.lib.stride_tricks.sliding_window_view(x, WINDOW + 1)
    middle = np.median(windows, axis=1)
    centre = x[WINDOW // 2 : WINDOW // 2 + len(middle)]
    return (centre - middle) / np.maximum(np.abs(middle), 1e-9)


def statistics(x: Series) -> dict[str, float]:
    """What is compared of one series."""
    r = detrended(x)
    spread = np.subtract(*np.percentile(r, [75, 25])) / 1.349
    scaled = (r - np.median(r)) / max(spread, 1e-9)
    far = np.abs(scaled) > 4.0
    starts = far & ~np.concatenate([[False], far[:-1]])
    low, high = np.percentile(scaled, [5, 95])
    return {
        "spread": float(spread),
        "autocorrelation, lag 1": _autocorrelation(r, 1),
        "autocorrelation, lag 5": _autocorrelation(r, 5),
        "far outliers, share": float(far.mean()),
        "outliers that come in runs": float(1.0 - starts.sum() / max(far.sum(), 1)) if far.any() else 0.0,
        "skewness of the middle": float((high + low) / max(high - low, 1e-9)),
        "day's range": float(np.log(np.percentile(x, 97) / max(np.percentile(x, 3), 1e-9))),
    }


def _autocorrelation(r: Series, lag: int) -> float:
    a, b = r[:-lag], r[lag:]
    return float(np.corrcoef(a, b)[0, 1]) if a.std() > 0 and b.std() > 0 else 0.0


def missingness(path: Path, interval_s: float) -> dict[str, list[float]]:
    """Share of absent samples and jitter of the sampling interval, per series."""
    absent, jitter = [], []
    for _, t, _ in series_of(path, FAMILIES["cpu"]):
        gaps = np.diff(np.unique(t)) / 1000.0
        absent.append(float(1.0 - (len(gaps) + 1) / (gaps.sum() / interval_s + 1)))
        usual = gaps[gaps < 1.5 * interval_s]
        jitter.append(float(usual.std() / interval_s))
    return {"absent samples, share": absent, "jitter of the interval, share": jitter}


def correlations(path: Path, interval_s: float) -> list[float]:
    """Correlation of the residuals between pairs of services: CPU, or load where there is no CPU."""
    longest: dict[str, tuple[NDArray[np.int64], Series]] = {}
    for family in ("cpu", "load"):
        for service, t, x in series_of(path, FAMILIES[family]) if not longest or family == "cpu" else ():
            if service not in longest or len(t) > len(longest[service][0]):
                longest[service] = (t, x)
    enough = 0.8 * max(len(t) for t, _ in longest.values())
    chosen = [(t, x) for t, x in longest.values() if len(t) >= enough]
    start, end = max(t[0] for t, _ in chosen), min(t[-1] for t, _ in chosen)
    grid = np.arange(start, end, 1000.0 * interval_s)
    table = np.array([detrended(np.interp(grid, t, x)) for t, x in chosen])
    pairs = np.corrcoef(table)[np.triu_indices(len(table), 1)]
    return [float(value) for value in pairs]


def describe(path: Path, interval_s: float) -> dict[str, dict[str, list[float]]]:
    """Family to statistic to its values over series."""
    found: dict[str, dict[str, list[float]]] = {}
    for family, pattern in FAMILIES.items():
        for _, _, x in series_of(path, pattern):
            for name, value in statistics(x).items():
                found.setdefault(family, {}).setdefault(name, []).append(value)
    found["sampling"] = missingness(path, interval_s)
    found["between services"] = {"correlation of residuals": correlations(path, interval_s)}
    return found


def simulated(folder: Path) -> dict[str, Path]:
    """Fault-free recordings of the shop and of random worlds, a minute between samples."""
    shop = replace(SCENARIOS["healthy"].plan(Options(hours=8.0, interval_s=60.0)), changes=())
    made = {"simulated shop": simulate(shop, folder / "shop", 3)}
    for number in range(5, 18, 6):
        plan = campaign_plan(number, CampaignOptions(seed=21, hours=8.0, interval_s=60.0, services=40))
        made[f"simulated world {number}"] = simulate(plan, folder / f"world-{number}", number)
    return made


def quartiles(values: list[float]) -> tuple[float, float, float]:
    """25th, 50th and 75th percentile."""
    low, middle, high = np.percentile(values, [25, 50, 75])
    return float(low), float(middle), float(high)


def overlap(a: tuple[float, float, float], b: tuple[float, float, float]) -> bool:
    """Whether two interquartile ranges meet."""
    return a[0] <= b[2] and b[0] <= a[2]


def compare(folder: Path) -> Table:
    """Family to statistic to source to quartiles."""
    sources: dict[str, dict[str, dict[str, list[float]]]] = {}
    for name, (where, interval_s) in REAL.items():
        sources[name] = describe(folder / where, interval_s)
    with tempfile.TemporaryDirectory() as scratch:
        made = simulated(Path(scratch))
        sources["shop (sim.)"] = describe(made.pop("simulated shop"), 60.0)
        worlds: dict[str, dict[str, list[float]]] = {}
        for path in made.values():
            for family, statistics_ in describe(path, 60.0).items():
                for name, values in statistics_.items():
                    worlds.setdefault(family, {}).setdefault(name, []).extend(values)
        sources["worlds (sim.)"] = worlds
    table: Table = {}
    for source, families in sources.items():
        for family, by_statistic in families.items():
            for statistic, values in by_statistic.items():
                if values:
                    table.setdefault(family, {}).setdefault(statistic, {})[source] = quartiles(values)
    return table


def misfits(table: Table) -> list[str]:
    """Statistics whose simulated interquartile ranges meet that of no real system."""
    found = []
    for family, by_statistic in table.items():
        for statistic, by_source in by_statistic.items():
            real = [by_source[name] for name in REAL if name in by_source]
            for source in (name for name in by_source if name not in REAL):
                if real and not any(overlap(by_source[source], other) for other in real):
                    found.append(f"{family}: {statistic}: {source}")
    return found


def draw(table: Table) -> str:
    """One strip of quartiles per source, for every family (rows) and statistic (columns), as SVG."""
    families = [name for name in FAMILIES if name in table]
    statistics_ = list(dict.fromkeys(s for f in families for s in table[f]))
    sources = list(dict.fromkeys(src for f in families for s in table[f] for src in table[f][s]))
    wide, high, left, top, line = 190, 15 * len(sources) + 34, 96, 40, 15
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" font-family="sans-serif" font-size="10" '
        f'width="{left + wide * len(statistics_)}" height="{top + high * len(families) + 30}">'
        '<rect width="100%" height="100%" fill="white"/>'
    ]
    for number, source in enumerate(sources):
        x = left + 170 * number
        parts.append(f'<rect x="{x}" y="8" width="12" height="8" fill="{COLOURS[number]}"/>')
        parts.append(f'<text x="{x + 16}" y="16">{source}</text>')
    for row, family in enumerate(families):
        y0 = top + row * high
        parts.append(f'<text x="4" y="{y0 + 30}" font-weight="bold">{family}</text>')
        for column, statistic in enumerate(statistics_):
            cell = table[family].get(statistic, {})
            finite = [v for q in cell.values() for v in q if np.isfinite(v)]
            if not finite:
                continue
            low, top_value = min([*finite, 0.0]), max(finite)
            x0, scale = left + column * wide, (wide - 30) / max(top_value - low, 1e-9)
            parts.append(f'<text x="{x0}" y="{y0 + 10}" fill="#555">{statistic}</text>')
            for number, source in enumerate(sources):
                if source not in cell or not np.isfinite(cell[source]).all():
                    continue
                a, m, b = (x0 + (value - low) * scale for value in cell[source])
                y = y0 + 18 + number * line
                parts.append(
                    f'<rect x="{a:.1f}" y="{y}" width="{max(b - a, 1.5):.1f}" height="9" '
                    f'fill="{COLOURS[number]}" fill-opacity="0.45"/>'
                    f'<rect x="{m - 1:.1f}" y="{y - 1}" width="2" height="11" fill="{COLOURS[number]}"/>'
                )
            y1, end = y0 + high - 6, x0 + wide - 34
            parts.append(f'<text x="{x0}" y="{y1}" fill="#999">{low:.3g}</text>')
            parts.append(f'<text x="{end}" y="{y1}" fill="#999" text-anchor="end">{top_value:.3g}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recordings", type=Path)
    parser.add_argument("--json", action="store_true", help="print the quartiles as JSON")
    parser.add_argument("--svg", type=Path, help="draw them into this file")
    arguments = parser.parse_args()
    table = compare(arguments.recordings)
    if arguments.svg:
        arguments.svg.write_text(draw(table))
    if arguments.json:
        print(json.dumps({"quartiles": table, "misfits": misfits(table)}, indent=1))
        return
    for family, by_statistic in table.items():
        print(f"\n{family}")
        for statistic, by_source in by_statistic.items():
            print(f"  {statistic}")
            for source, (low, middle, high) in by_source.items():
                print(f"    {source:18} {middle:9.4f}  [{low:9.4f}, {high:9.4f}]")
    print("\nsimulated quartiles that meet those of no real system:")
    print("\n".join(f"  {line}" for line in misfits(table)) or "  none")


if __name__ == "__main__":
    main()
