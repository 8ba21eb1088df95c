"""All stages on one machine: started together, watched, and stopped together."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from threading import Event
from types import TracebackType
from typing import Self

import structlog

from streams.errors import FatalError
from streams.interrupts import children_leave_interrupts
from streams.serve import Endpoint
from streams.service import child
from streams.service.scrape import ask, merged_metrics
from streams.service.stages import module_of, stages_of
from streams.settings import Settings

log = structlog.get_logger("headwater.service")

LOOK_S = 0.1


@dataclass(slots=True)
class _Member:
    process: ForkServerProcess
    pipe: Connection
    port: int | None = field(default=None)
    """Where it answers; None until it says."""

    def listen(self) -> int | None:
        """Return the port that it answers on, once it has told."""
        if self.port is None and self.pipe.poll():
            try:
                self.port = self.pipe.recv()
            except (EOFError, OSError):
                return None
        return self.port


class Pipeline:
    """Runs stages as processes; a context manager that is up inside the block.

    A stage a process: DETECT keeps a core busy, and a Faust worker that does not get the interpreter for some
    seconds is thrown out of its group. One that dies ends all, for a supervisor to start anew.

    Parameters
    ----------
    stages
        Which; all by default.

    Examples
    --------
    >>> with Pipeline(settings) as pipeline:  # doctest: +SKIP
    ...     pipeline.wait_until_ready(30)
    """

    def __init__(self, settings: Settings, stages: Sequence[str] = ()) -> None:
        self._settings = settings
        self._stages = tuple(stages) or stages_of(settings)
        self._members: dict[str, _Member] = {}
        self._endpoint: Endpoint | None = None

    @property
    def port(self) -> int:
        """Where health and metrics of all stages are served, once started."""
        if self._endpoint is None:
            raise FatalError("the pipeline is not started")
        return self._endpoint.port

    def start(self) -> None:
        """Start the stages; returns when their libraries are loaded and their processes run.

        Raises
        ------
        UserError
            The port of health and metrics is taken.
        """
        self._endpoint = Endpoint(self._settings.serve, self.is_alive, self.waiting_for, self._metrics)
        # Stages are forked from a process that has imported them and started nothing: each by itself would
        # import much the same, for two seconds of processor time and more.
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([child.__name__, *map(module_of, self._stages)])
        with children_leave_interrupts():
            forkserver.ensure_running()
        for name in self._stages:
            ours, theirs = context.Pipe()
            process = context.Process(
                target=child.main,
                args=(name, self._settings.model_dump(), theirs),
                name=f"headwater-{name}",
                daemon=True,
            )
            process.start()
            # Ours alone from here on, so that the child's end breaks when we die.
            theirs.close()
            self._members[name] = _Member(process, ours)

    def waiting_for(self) -> str:
        """What readiness waits for; empty when every stage is ready."""
        missing = []
        for name, member in self._members.items():
            port = member.listen()
            status, body = ask(port, "/readyz") if port else (0, b"")
            if status != 200:
                missing.append(f"{name} ({_reason(body)})")
        return ", ".join(missing)

    def is_alive(self) -> bool:
        """Whether every stage's process runs and its loop turns."""
        for member in self._members.values():
            port = member.listen()
            if not member.process.is_alive() or (port and ask(port, "/healthz")[0] != 200):
                return False
        return True

    def dead(self) -> dict[str, int]:
        """Exit codes of the stages that have ended."""
        return {
            name: member.process.exitcode
            for name, member in self._members.items()
            if member.process.exitcode is not None
        }

    def wait_until_ready(self, timeout_s: float) -> None:
        """Return when all stages process records.

        Raises
        ------
        FatalError
            One has ended, or the time is up; says what is missing.
        """
        deadline = time.monotonic() + timeout_s
        while missing := self.waiting_for():
            if ended := self.dead():
                raise FatalError(f"stages ended at start: {', '.join(sorted(ended))}; see the log")
            if time.monotonic() > deadline:
                raise FatalError(f"not ready after {timeout_s:.0f} s: waiting for {missing}")
            time.sleep(LOOK_S)

    def run(self, stop: Event) -> int:
        """Watch until told to stop (exit code 0) or until a stage has ended (1); then stop all."""
        said_ready = False
        code = 0
        while not stop.wait(LOOK_S):
            if ended := self.dead():
                log.error("stages ended", stages=ended)
                code = 1
                break
            if not said_ready and not self.waiting_for():
                said_ready = True
                log.info("ready", stages=list(self._stages), port=self.port)
        self.stop()
        return code

    def stop(self) -> None:
        """Let every stage save, acknowledge and leave; kill what has not left in time."""
        for member in self._members.values():
            if member.process.is_alive():
                member.process.terminate()
        deadline = time.monotonic() + child.STOP_DEADLINE_S
        for name, member in self._members.items():
            member.process.join(max(0.0, deadline - time.monotonic()))
            if member.process.is_alive():
                log.warning("stage killed: it did not stop in time", stage=name)
                member.process.kill()
                member.process.join()
            member.pipe.close()
        self._members = {}
        if self._endpoint is not None:
            self._endpoint.close()
            self._endpoint = None

    def _metrics(self) -> bytes:
        ports = {name: member.listen() for name, member in self._members.items()}
        return merged_metrics({name: port for name, port in ports.items() if port})

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _reason(body: bytes) -> str:
    import json

    try:
        return str(json.loads(body)["waiting_for"])
    except (ValueError, KeyError):
        return "starting"
