"""The demo as a newcomer runs it: through Kafka, in its own processes, and clean afterwards."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from streams.broker import Broker, EmbeddedBroker
from streams.kafka import admin
from streams.settings import KafkaSettings, environment_without_settings
from tests.processes import wait_for_the_end_of

SCENARIOS = {
    "cascade": "auth",
    "hidden-redis": "redis-sessions",
    "job-not-deploy": "postgres",
    "healthy": None,
}


def start(broker: Broker, home: Path, *arguments: str) -> "subprocess.Popen[str]":
    """The demo on an embedded broker of its own, or on the session's where that is a real one."""
    environment = environment_without_settings()
    if not isinstance(broker, EmbeddedBroker):
        environment["HEADWATER_KAFKA__BOOTSTRAP_SERVERS"] = broker.bootstrap_servers
        environment["HEADWATER_KAFKA__TOPIC_PREFIX"] = prefix(home)
    return subprocess.Popen(
        [sys.executable, "-m", "streams.cli", "demo", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment | {"TMPDIR": str(home)},
        start_new_session=True,
    )


def left_running(home: Path) -> dict[int, str]:
    """Processes that still work in, or were started with, a path below `home`: their ids and words."""
    found = {}
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            where = str((entry / "cwd").readlink())
        except (OSError, UnicodeDecodeError):
            continue
        if entry.name.isdigit() and str(home) in words + where and entry.name != str(os.getpid()):
            found[int(entry.name)] = words
    return found


def prefix(home: Path) -> str:
    """What the topics of the demo that runs in `home` begin with; other demos may share the cluster."""
    return f"{home.parent.parent.name}-{home.parent.name}-{home.name}."


def topics_of_the_demo(broker: Broker, home: Path) -> list[str]:
    known = admin(KafkaSettings(bootstrap_servers=broker.bootstrap_servers)).list_topics(timeout=10).topics
    return [name for name in known if name.startswith(prefix(home))]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_demo_finds_the_cause_and_leaves_nothing_behind(scenario, broker, tmp_path):
    demo = start(broker, tmp_path, "--scenario", scenario, "--json", "--speed", "300")
    out, told = demo.communicate(timeout=280)
    assert demo.returncode == 0, told
    alerts = [json.loads(line) for line in out.splitlines()]
    if SCENARIOS[scenario] is None:
        assert alerts == []
        assert "Nothing wrong" in told
    else:
        assert alerts[0]["root_cause"]["entity"] == SCENARIOS[scenario]
        assert alerts[0]["confidence"]["terms"]
        assert alerts[0]["chain"]
    assert left_running(tmp_path) == {}
    assert list(tmp_path.iterdir()) == []
    assert topics_of_the_demo(broker, tmp_path) == []


@pytest.mark.timeout(120)
def test_ctrl_c_ends_the_demo_with_one_line_and_leaves_nothing_behind(broker, tmp_path):
    demo = start(broker, tmp_path)
    for line in demo.stdout:
        if "starting" in line:  # the step is done: broker and stages are up
            break
    demo.send_signal(signal.SIGINT)
    _, told = demo.communicate(timeout=60)
    assert demo.returncode == 130, told
    assert told == "headwater: interrupted; what the demo had started is stopped\n"
    assert left_running(tmp_path) == {}
    assert list(tmp_path.iterdir()) == []
    assert topics_of_the_demo(broker, tmp_path) == []


@pytest.mark.timeout(120)
def test_a_killed_demo_leaves_no_process_and_no_file_behind(tmp_path):
    demo = subprocess.Popen(
        [sys.executable, "-m", "streams.cli", "demo"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment_without_settings() | {"TMPDIR": str(tmp_path)},
        start_new_session=True,
    )
    for line in demo.stdout:
        if "starting" in line:
            break
    assert left_running(tmp_path)
    demo.kill()
    demo.communicate()
    while left := left_running(tmp_path):
        wait_for_the_end_of(min(left), timeout_s=30)
    assert list(tmp_path.iterdir()) == []  # the keepers, which were the last to go, have removed it all
