"""The page itself: one HTML file that stands alone, and its plots as SVG files beside it."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from io import StringIO
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console

from streams.errors import UserError
from streams.evaluation.report.plots import reliability_diagram, risk_coverage, timeline
from streams.evaluation.table import tables

STYLE = """
body{font:15px/1.45 system-ui,sans-serif;color:#24292f;max-width:1240px;margin:2rem auto;padding:0 1rem}
pre{font:12px/1.35 ui-monospace,monospace;overflow-x:auto;background:#f6f8fa;padding:1rem;border-radius:6px}
figure{display:inline-block;margin:0 1rem 1rem 0;vertical-align:top}svg{max-width:100%;height:auto}
figcaption{max-width:460px;color:#57606a;font-size:13px}
"""
CAPTIONS = {
    "risk-coverage": "Let in only the surest incidents: how many of them name a wrong root? "
    "A useful confidence starts at the bottom left.",
    "reliability": "Right roots in each tenth of stated confidence; larger dots are more incidents. "
    "On the dashed line a confidence is true.",
}
TIMELINE = (
    "Faults as bars of five minutes; dots are opened incidents: green right, red wrong, violet false, grey "
    "in stretches whose labels are incomplete. The lowest line holds those that answer no fault."
)


def write_report(folder: Path, result: Mapping[str, Any]) -> None:
    """Write `index.html`, `result.json` and one SVG file a plot; the same result gives the same page.

    Raises
    ------
    UserError
        The folder cannot be written.
    """
    plots = _plots(result)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, svg in plots.items():
            (folder / f"{name}.svg").write_text(svg, "utf-8")
        (folder / "result.json").write_bytes(orjson.dumps(result, option=orjson.OPT_INDENT_2))
        (folder / "index.html").write_text(_html(result, plots), "utf-8")
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror or error})") from None


def _plots(result: Mapping[str, Any]) -> dict[str, str]:
    system_of = {name: figures["system"] for name, figures in result["recordings"].items()}
    found = {
        "risk-coverage": risk_coverage(result["incidents"], system_of),
        "reliability": reliability_diagram(result["incidents"], system_of),
    }
    for name in result["recordings"]:
        cases = [case for case in result["cases"] if case["recording"] == name]
        openings = [opening for opening in result["incidents"] if opening["recording"] == name]
        if cases or openings:
            found["timeline-" + name.replace("/", "-")] = timeline(name, cases, openings)
    return found


def _html(result: Mapping[str, Any], plots: Mapping[str, str]) -> str:
    text = StringIO()
    Console(file=text, width=150, color_system=None).print(tables(result))
    curves = "".join(
        f"<figure>{plots[name]}<figcaption>{escape(caption)}</figcaption></figure>"
        for name, caption in CAPTIONS.items()
    )
    timelines = "".join(
        f"<figure>{svg}</figure>" for name, svg in plots.items() if name.startswith("timeline")
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>headwater eval</title>'
        f"<style>{STYLE}</style><h1>headwater eval</h1>"
        f"<p>{len(result['recordings'])} recordings, {result['total']['faults']} faults, run blind in event "
        "time on the production code; labels were opened when each run was over.</p>"
        f"<pre>{escape(text.getvalue().rstrip())}</pre>"
        f"<h2>Can its confidence be believed?</h2>{curves}"
        f"<h2>Fault by fault</h2><p>{escape(TIMELINE)}</p>{timelines}</html>\n"
    )
