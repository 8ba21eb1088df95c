"""AC@1, AC@3, Avg@5 of headwater, simple rules, BARO and N-Sigma on the same faults, each told when it began.

All are asked about the same stretch, until the patience after the start. The scorers get the metrics;
headwater is run on the metrics alone, and on all that is recorded (edges, logs, changes), from which the
simple rules rank too.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
from cause_table import Table, rates, table

from streams.errors import UserError
from streams.evaluation.baselines import RULES
from streams.evaluation.evaluate import open_named
from streams.evaluation.figures import figures
from streams.evaluation.run import Run, collect_evidence, histories_of, patience_ms
from streams.evaluation.score import Answer, Scored, score
from streams.evaluation.signals import chosen_signals
from streams.recording import Recording, metric_samples

HERE = Path(__file__).parent
BARO = HERE.parent / ".venv-baro" / "bin" / "python"
MAKE_BARO = "python -m venv .venv-baro && .venv-baro/bin/pip install fse-baro==0.2.2"
"""An environment of its own: it brings pandas, scikit-learn, matplotlib, pytest and requests along."""
TIMEOUT_S = 1_800
"""68 faults with 32,000 columns took 100 s of processor time; a busy machine stretches that."""
FIGURES = ("ac1", "ac3", "avg5")
OURS, OURS_ON_METRICS, CHANCE = "headwater", "headwater_metrics_only", "chance"

Asked = dict[str, Scored]
"""Who was asked → the recording's cases, with that one's answers as `told`."""


def run(folder: Path, note: Callable[[str], None], baro: Path = BARO) -> dict[str, Any]:
    """Return the figures of each system, and of each of its recordings with more than one fault.

    Parameters
    ----------
    folder
        A recording, or a folder of some; those without labels are passed over.
    baro
        The Python that has the scorers.

    Raises
    ------
    UserError
        No recording has labels.
    """
    labelled = [recording for recording in open_named([folder]) if recording.labels()]
    if not labelled:
        raise UserError(f"{folder}: no recording in it has labels.jsonl, so nobody can be judged on it")
    asked: list[Asked] = []
    for recording in labelled:
        note(f"{recording.name}: headwater, on all and on metrics alone")
        asked.append({OURS: _scored(recording, None), OURS_ON_METRICS: _scored(recording, "metrics")})
    found: dict[str, Any] = {}
    if baro.exists():
        note("BARO and N-Sigma")
        _ask_scorers(baro, labelled, asked)
    else:
        found["baro"] = f"not measured: {baro.parents[1].name} is missing; make it by: {MAKE_BARO}"
    for system in dict.fromkeys(recording.system for recording in labelled):
        mine = [each for each in asked if each[OURS].system == system]
        found[system] = _figures(mine)
        if len(mine) > 1:
            several = [each for each in mine if len(each[OURS].cases) > 1]
            found[system] |= {each[OURS].recording: _figures([each]) for each in several}
    return found


def _scored(recording: Recording, signals: str | None) -> Scored:
    """Told rankings and those of the rules, without the blind run that `headwater eval` makes besides."""
    evidence = tuple(collect_evidence(recording, chosen_signals(signals)))
    return score(Run(recording, evidence, ()))


def _ask_scorers(baro: Path, recordings: Sequence[Recording], asked: Sequence[Asked]) -> None:
    """Add the scorers' answers to those of headwater."""
    tables = [
        tables_of(recording, [case.start_ms for case in each[OURS].cases])
        for recording, each in zip(recordings, asked, strict=True)
    ]
    ranked = iter(_ranked_columns(baro, [one for each in tables for one in each]))
    for each, mine in zip(asked, tables, strict=True):
        said = [{name: t.judged(columns) for name, columns in next(ranked).items()} for t in mine]
        for name in said[0]:
            each[name] = _answered(each[OURS], [services[name] for services in said])


def tables_of(recording: Recording, starts_ms: Sequence[int]) -> list[Table]:
    """One table a fault, of the recording's metrics and those of its histories."""
    parts = [part.metrics() for part in (*histories_of(recording), recording)]
    samples = rates(metric_samples(pa.concat_tables([part for part in parts if part is not None])))
    interval_ms = round(recording.interval_s * 1000)
    patience = patience_ms(recording.interval_s, 2)
    return [table(samples, start_ms, interval_ms, patience) for start_ms in starts_ms]


def _ranked_columns(baro: Path, tables: Sequence[Table]) -> list[dict[str, list[str]]]:
    """Ask the scorers: one process for all tables, for importing them takes seconds."""
    asked = orjson.dumps([t.message() for t in tables], option=orjson.OPT_SERIALIZE_NUMPY)
    ended = subprocess.run(
        [baro, HERE / "cause_baro.py"], input=asked, capture_output=True, timeout=TIMEOUT_S, check=False
    )
    if ended.returncode:
        raise RuntimeError(f"cause_baro.py ended with {ended.returncode}: {ended.stderr.decode()[-500:]}")
    found: list[dict[str, list[str]]] = orjson.loads(ended.stdout)
    return found


def _answered(ours: Scored, rankings: Sequence[list[str]]) -> Scored:
    """The same cases with other answers."""
    cases = []
    for case, services in zip(ours.cases, rankings, strict=True):
        rank = services.index(case.root_service) + 1 if case.root_service in services else None
        cases.append(replace(case, told=Answer(tuple(services[:5]), rank)))
    return replace(ours, cases=tuple(cases))


def _figures(asked: Sequence[Asked]) -> dict[str, Any]:
    """Who was asked → AC@1, AC@3 and Avg@5 over some recordings."""
    found = {name: figures([each[name] for each in asked]) for name in asked[0]}
    rules = found[OURS]["baselines"]
    told = {name: each["told"] for name, each in found.items()}
    told |= {name: rules[name]["told"] for name in (*RULES, CHANCE)}
    return {
        "faults": found[OURS]["faults"],
        **{name: {figure: round(each[figure], 3) for figure in FIGURES} for name, each in told.items()},
    }
