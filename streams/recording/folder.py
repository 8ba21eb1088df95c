"""One recording on disk, opened in full honesty: every defect is a `RecordingError` that says where."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from correlator.evidence import Alert, Change, Edge, EdgeSource
from streams.errors import RecordingError
from streams.recording import tables
from streams.recording.documents import read_lines, read_object, validated
from streams.recording.truth import Ignored, Label, Propagation

MANIFEST = "recording.json"
ARRIVALS = "arrivals.parquet"
"""No signal of its own: it tells of the samples in `metrics.parquet`."""
FILES = {
    "metrics": "metrics.parquet",
    "edges": "edges.parquet",
    "logs": "logs.parquet",
    "changes": "changes.jsonl",
    "alerts": "alerts.jsonl",
    "topology": "topology.json",
}


class _Manifest(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    format: Literal[1]
    name: str = Field(min_length=1)
    system: str = Field(min_length=1)
    start_ms: int
    end_ms: int
    interval_s: float = Field(gt=0)
    signals: tuple[str, ...] = ()
    history: tuple[str, ...] = ()


class _Node(BaseModel):
    service: str
    kind: str | None = None


class _Call(BaseModel):
    caller: str
    callee: str
    valid_from_ms: int | None = None
    valid_to_ms: int | None = None
    schedule: str | None = None


class _Topology(BaseModel):
    nodes: tuple[_Node, ...] = ()
    edges: tuple[_Call, ...] = ()


class _Step(BaseModel):
    service: str
    before: str | None = Field(None, alias="from")
    also_from: tuple[str, ...] = ()


class _Told(BaseModel):
    fault_id: str
    path: tuple[_Step, ...] = ()
    tellable: bool = True


_TOLD = TypeAdapter(_Told)
_MANIFEST = TypeAdapter(_Manifest)
_TOPOLOGY = TypeAdapter(_Topology)
_CHANGE = TypeAdapter(Change)
_ALERT = TypeAdapter(Alert)
_LABEL = TypeAdapter(Label)
_IGNORED = TypeAdapter(Ignored)


@dataclass(frozen=True, slots=True)
class Recording:
    """A folder of telemetry; its files are read when asked for, and the truth only by `labels`/`ignored`.

    Its `system` is the domain of everything in it.
    """

    path: Path
    name: str
    system: str
    start_ms: int
    end_ms: int
    interval_s: float
    signals: tuple[str, ...]
    """Names of the signals whose files exist, of `FILES`."""
    history: tuple[Path, ...]
    """Recordings of the same system that are run first and not scored."""

    @classmethod
    def open(cls, path: Path) -> Recording:
        """Read the manifest and see that the files that it promises are there.

        Raises
        ------
        RecordingError
            No such folder, no or a wrong `recording.json`, or a promised file is missing.
        """
        if path.is_file():
            raise RecordingError(f"{path}: is a file; a recording is a folder with a {MANIFEST} in it")
        if not path.is_dir():
            raise RecordingError(f"{path}: there is no such folder")
        file = path / MANIFEST
        if not file.is_file():
            raise RecordingError(f"{path}: not a recording (it has no {MANIFEST})")
        found = validated(str(file), _MANIFEST, read_object(file))
        if found.end_ms < found.start_ms:
            raise RecordingError(f"{file}: end_ms {found.end_ms} lies before start_ms {found.start_ms}")
        for signal in ("metrics", *found.signals):
            if signal in FILES and not (path / FILES[signal]).is_file():
                raise RecordingError(f"{path}: {FILES[signal]} is missing")
        return cls(
            path=path,
            name=found.name,
            system=found.system,
            start_ms=found.start_ms,
            end_ms=found.end_ms,
            interval_s=found.interval_s,
            signals=tuple(signal for signal, name in FILES.items() if (path / name).is_file()),
            history=tuple((path / other).resolve() for other in found.history),
        )

    @property
    def size_bytes(self) -> int:
        """Of all its files: how long a run of it takes, beside others."""
        return sum(file.stat().st_size for file in self.path.iterdir() if file.is_file())

    def metrics(self) -> pa.Table | None:
        """Samples; columns of `tables.METRICS`."""
        return self._table("metrics", tables.METRICS)

    def edges(self) -> pa.Table | None:
        """Observed calls per interval; columns of `tables.EDGES`, NaN where unknown."""
        return self._table("edges", tables.EDGES)

    def logs(self) -> pa.Table | None:
        """Log lines; columns of `tables.LOGS`."""
        return self._table("logs", tables.LOGS)

    def arrivals(self) -> pa.Table | None:
        """Which samples came late, and when; columns of `tables.ARRIVALS`. None if all came at once."""
        file = self.path / ARRIVALS
        return tables.read_table(file, tables.ARRIVALS) if file.is_file() else None

    def changes(self) -> tuple[Change, ...]:
        """Changes in file order; none if there is no such file."""
        return self._lines(FILES["changes"], _CHANGE, domain=self.system)

    def alerts(self) -> tuple[Alert, ...]:
        """Alerts of other systems, in file order."""
        return self._lines(FILES["alerts"], _ALERT, domain=self.system)

    def declared_edges(self) -> tuple[Edge, ...]:
        """What `topology.json` declares, as known from the recording's start."""
        file = self.path / FILES["topology"]
        if not file.is_file():
            return ()
        topology = validated(str(file), _TOPOLOGY, read_object(file))
        kinds = {node.service: node.kind for node in topology.nodes}
        return tuple(
            Edge(
                domain=self.system,
                caller=call.caller,
                callee=call.callee,
                source=EdgeSource.DECLARED,
                callee_kind=kinds.get(call.callee),
                first_seen_ms=self.start_ms,
                last_seen_ms=self.start_ms,
                valid_from_ms=call.valid_from_ms,
                valid_to_ms=call.valid_to_ms,
                schedule=call.schedule,
            )
            for call in topology.edges
        )

    def labels(self) -> tuple[Label, ...]:
        """The truth, in order of start. Never shown to what is being judged."""
        found: tuple[Label, ...] = self._lines("labels.jsonl", _LABEL)
        return tuple(sorted(found, key=lambda label: (label.start_ms, label.fault_id)))

    def propagations(self) -> dict[str, Propagation]:
        """How faults spread, by fault, for recordings whose maker knows and says so in `truth.jsonl`."""
        told: tuple[_Told, ...] = self._lines("truth.jsonl", _TOLD)
        return {
            one.fault_id: Propagation(
                one.fault_id,
                frozenset(
                    (before, step.service)
                    for step in one.path
                    for before in (step.before, *step.also_from)
                    if before is not None
                ),
                one.tellable,
            )
            for one in told
        }

    def ignored(self) -> tuple[Ignored, ...]:
        """Stretches that score nothing, in order of start."""
        found: tuple[Ignored, ...] = self._lines("ignore.jsonl", _IGNORED)
        return tuple(sorted(found, key=lambda stretch: (stretch.start_ms, stretch.end_ms)))

    def _table(self, signal: str, columns: tuple[tables.Column, ...]) -> pa.Table | None:
        file = self.path / FILES[signal]
        return tables.read_table(file, columns) if file.is_file() else None

    def _lines(self, name: str, shape: TypeAdapter[Any], **extra: Any) -> tuple[Any, ...]:
        file = self.path / name
        return tuple(read_lines(file, shape, **extra)) if file.is_file() else ()


def find_recordings(paths: Iterable[Path]) -> list[Recording]:
    """Open every recording at or below the given paths, each once, in the given and then path order.

    Raises
    ------
    RecordingError
        A path that does not exist or holds no recording, or a recording that cannot be opened.
    """
    found: dict[Path, Recording] = {}
    for path in paths:
        if not path.exists():
            raise RecordingError(f"{path}: there is no such folder")
        folders = [path] if (path / MANIFEST).is_file() else sorted(m.parent for m in path.rglob(MANIFEST))
        if not folders and path.is_dir():
            raise RecordingError(f"{path}: no recording in it (none of its folders has a {MANIFEST})")
        for folder in folders or [path]:
            if folder.resolve() not in found:
                found[folder.resolve()] = Recording.open(folder)
    return list(found.values())
