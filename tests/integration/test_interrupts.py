"""Ctrl-C ends a command from its first moment on: one line, no traceback, nothing half done, nobody left."""

import os
import signal
import subprocess
import sys

import pytest

BEGIN = "import sys; from streams.cli import main; main(sys.argv[1:])"


def begun(tmp_path, jobs):
    """A simulation of hours, which says what it imports, as a terminal starts it: in a group of its own."""
    command = [sys.executable, "-X", "importtime", "-c", BEGIN, "simulate", "--worlds", "3", "--hours", "40"]
    return subprocess.Popen(
        [*command, "--jobs", str(jobs), "--out", tmp_path],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )


def interrupted(process):
    """What it says, having been interrupted; its children hold the pipes too, so that none is left."""
    os.killpg(process.pid, signal.SIGINT)
    printed, said = process.communicate(timeout=20)
    complaints = [line for line in said.splitlines() if not line.startswith("import time:")]
    assert process.returncode == 130
    assert printed == ""
    return complaints


@pytest.mark.parametrize("library", ["typer._click.core", "numba.core.types", "pyarrow.parquet"])
def test_an_interrupt_while_it_loads_is_answered_with_one_line(tmp_path, library):
    process = begun(tmp_path, jobs=1)
    while library not in process.stderr.readline():
        assert process.poll() is None
    (line,) = interrupted(process)
    assert line.startswith("headwater: interrupted")


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_interrupt_leaves_nothing_half_written(tmp_path, jobs):
    process = begun(tmp_path, jobs)
    while not list(tmp_path.glob("*.part/metrics.parquet")):
        with pytest.raises(subprocess.TimeoutExpired):
            process.communicate(timeout=0.05)
    assert interrupted(process) == [
        f"headwater: interrupted; 0 of 3 recordings are complete in {tmp_path}",
    ]
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_at_any_moment_while_processes_are_started_ends_all_of_them(tmp_path):
    process = begun(tmp_path, jobs=2)
    while "multiprocessing.popen_spawn_posix" not in process.stderr.readline():
        assert process.poll() is None
    assert interrupted(process)[-1].startswith("headwater: interrupted; 0 of 3")
