"""Every recording run and scored on its own, in parallel, and put together in the given order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter

import orjson

from correlator.engine import Engine, EngineConfig
from correlator.factors import NAMES
from streams.errors import RecordingError
from streams.evaluation.published import Published, ranking_of
from streams.evaluation.run import Run, correlate, rank_told, run_blind
from streams.evaluation.score import Scored, score, score_told, told_incidents
from streams.processes import each_in_a_process
from streams.recording import Recording, find_recordings


@dataclass(frozen=True, slots=True)
class Task:
    """One recording to be evaluated, and how."""

    recording: Recording
    signals: frozenset[str]
    blind: bool = False
    """Open neither labels nor ignored stretches, and score nothing."""
    ablate: bool = False
    told_ms: tuple[int, ...] | None = None
    """Rank at these times instead of detecting."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one recording gave."""

    recording: Recording
    incidents: tuple[Published, ...]
    scored: Scored | None
    without: Mapping[str, Scored] = field(default_factory=dict)
    """Factor left out → the same recording, scored."""
    wall_s: float = 0.0


def evaluate_one(task: Task, on_progress: Callable[[float], None] | None = None) -> Outcome:
    """Run one recording, then open its truth."""
    began = perf_counter()
    run = run_blind(task.recording, task.signals, on_progress=on_progress)
    told = task.told_ms
    if told is not None:
        rankings = rank_told(task.recording, run.evidence, told)
        incidents = told_incidents(task.recording, {t: ranking_of(i) for t, i in rankings.items()})
        run = replace(run, incidents=incidents)
    scored = None if task.blind else _scored(run, told, Engine)
    without = {}
    if task.ablate and not task.blind:
        for name in NAMES:
            without[name] = _without(run, told, name)
    wall_s = perf_counter() - began
    return Outcome(
        recording=task.recording,
        incidents=run.incidents,
        scored=replace(scored, wall_s=wall_s) if scored else None,
        without=without,
        wall_s=wall_s,
    )


def _scored(run: Run, told: Sequence[int] | None, engine: Callable[[str], Engine]) -> Scored:
    return score(run, engine=engine) if told is None else score_told(run, told, engine=engine)


def _without(run: Run, told: Sequence[int] | None, name: str) -> Scored:
    """Correlate the same evidence again, one factor left out."""

    def engine(domain: str) -> Engine:
        return Engine(domain, EngineConfig(without=frozenset({name})))

    again = run
    if told is None:
        again = replace(run, incidents=correlate(run.recording, run.evidence, engine=engine).incidents())
    return _scored(again, told, engine)


def evaluate(
    tasks: Sequence[Task],
    *,
    jobs: int = 1,
    on_progress: Callable[[int, float], None] | None = None,
) -> list[Outcome]:
    """Evaluate all, in `jobs` processes; neither results nor their order depend on how many.

    Parameters
    ----------
    on_progress
        Called with the number of a task and the share of it that is done.
    """
    if jobs <= 1 or len(tasks) <= 1:
        outcomes = []
        for number, task in enumerate(tasks):
            share = (lambda done, n=number: on_progress(n, 0.95 * done)) if on_progress else None
            outcomes.append(evaluate_one(task, share))
            if on_progress:
                on_progress(number, 1.0)
        return outcomes
    finished = (lambda number: on_progress(number, 1.0)) if on_progress else None
    return list(each_in_a_process(evaluate_one, tasks, jobs, size=_bytes_of, on_done=finished))


def _bytes_of(task: Task) -> int:
    return task.recording.size_bytes


def open_named(paths: Sequence[Path]) -> list[Recording]:
    """Open all recordings; where names repeat, the folder above is put before them."""
    found = find_recordings(paths)
    names = Counter(recording.name for recording in found)
    named = [
        replace(r, name=f"{r.path.resolve().parent.name}/{r.name}") if names[r.name] > 1 else r for r in found
    ]
    twice = [name for name, times in Counter(r.name for r in named).items() if times > 1]
    if twice:
        raise RecordingError(f"two recordings are called {twice[0]!r}; give one of them")
    return named


def read_told(path: Path, recordings: Sequence[Recording]) -> dict[str, tuple[int, ...]]:
    """Read lines of `{"recording", "start_ms"}`; the given times of each recording, none where none is given.

    Raises
    ------
    RecordingError
        A line that is not such an object, or names a recording that is not being evaluated.
    """
    known: dict[str, list[int]] = {recording.name: [] for recording in recordings}
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise RecordingError(f"{path}: cannot be read ({error.strerror or error})") from None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            found = orjson.loads(line)
            name, start_ms = found["recording"], found["start_ms"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            raise RecordingError(f'{path}, line {number}: expected {{"recording", "start_ms"}}') from None
        if not isinstance(start_ms, int):
            raise RecordingError(f"{path}, line {number}: start_ms: expected Unix milliseconds")
        if name not in known:
            raise RecordingError(f"{path}, line {number}: no recording {name!r} among those given")
        known[name].append(start_ms)
    return {name: tuple(sorted(set(times))) for name, times in known.items()}
