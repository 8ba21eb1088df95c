"""`headwater eval` as a person runs it, on recordings written here and on the real ones."""

import json
import math
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from streams import settings
from streams.cli import main
from streams.evaluation.evaluate import open_named
from streams.evaluation.examples import Lesson, gather, lessons_of
from streams.evaluation.run import settled_incidents
from streams.recording import Ignored, Label, Recording, write_recording

MINUTE = 60_000
START = 1_700_000_000_000
CALLS = [("front", "cart"), ("front", "pay"), ("cart", "db"), ("pay", "bank")]
SERVICES = ["front", "cart", "pay", "db", "bank"]
NORMAL = {
    "cpu_usage_pct": ("%", 20.0),
    "latency_server_p95_s": ("s", 0.08),
    "memory_usage_mib": ("MiB", 300.0),
}

CONTRACT = {
    "faults", "detected", "ac1", "ac3", "avg5", "final", "told", "false_incidents", "fault_free_hours",
    "false_incidents_per_hour", "right_among_opened", "unmatched_per_fault", "median_delay_s", "abstained",
    "confident", "brier", "brier_skill", "candidates", "llm_calls", "wall_s", "opened_in_ignored",
    "baselines",
}  # fmt: skip


def write(folder, name, *, broken="db", fault_minute=200, minutes=260, seed=1, **more):
    """Five services for some hours; one burns its processor and its callers wait for it."""
    rng = np.random.default_rng(seed)
    slow = {broken, *(caller for caller, callee in CALLS if callee == broken)}
    slow |= {caller for caller, callee in CALLS if callee in slow}
    rows = []
    for minute in range(minutes):
        ill = fault_minute is not None and fault_minute <= minute < fault_minute + 20
        for service in SERVICES:
            for metric, (unit, level) in NORMAL.items():
                value = level * float(np.exp(rng.normal(0, 0.03)))
                if ill and service == broken and metric == "cpu_usage_pct":
                    value *= 4.5
                if ill and service in slow and metric == "latency_server_p95_s":
                    value *= 9 if service == broken else 5
                rows.append((START + minute * MINUTE, service, f"{service}-0", metric, unit, "gauge", value))
    names = ["ts_ms", "service", "instance", "metric", "unit", "kind", "value"]
    end_ms = START + fault_minute * MINUTE + 20 * MINUTE if fault_minute is not None else 0
    labels = [Label("f1", START + fault_minute * MINUTE - 30_000, end_ms, broken)] if end_ms else []
    return write_recording(
        folder / name,
        name=name,
        system="shop",
        start_ms=START,
        end_ms=START + (minutes - 1) * MINUTE,
        interval_s=60,
        metrics=pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))),
        topology={"nodes": [], "edges": [{"caller": a, "callee": b} for a, b in CALLS]},
        changes=[{"id": "c1", "ts_ms": START + 190 * MINUTE, "kind": "deploy", "service": "pay"}],
        labels=labels,
        **more,
    )


def run(*arguments):
    done = subprocess.run(
        [Path(sys.executable).with_name("headwater"), "eval", *map(str, arguments)],
        capture_output=True,
        timeout=200,
    )
    return done.returncode, done.stdout, done.stderr.decode()


def without_clock(printed):
    """The printed object as bytes, with the one figure left out that is measured on a clock."""
    found = json.loads(printed)
    for figures in (found["total"], *found["systems"].values(), *found["recordings"].values()):
        del figures["wall_s"]
    return json.dumps(found)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recordings")
    write(folder, "db-burns")
    write(folder, "bank-burns", broken="bank", seed=2)
    write(folder, "healthy", fault_minute=None, seed=3)
    return folder


@pytest.fixture(scope="module")
def of_all(shop, tmp_path_factory):
    """What a run over all three prints and publishes."""
    out = tmp_path_factory.mktemp("all") / "out.jsonl"
    code, printed, said = run(shop, "--json", "--jobs", 1, "--incidents", out)
    assert (code, said) == (0, "")
    return printed, out.read_bytes()


@pytest.fixture(scope="module")
def of_db_burns(shop, tmp_path_factory):
    """What a run over that one publishes."""
    out = tmp_path_factory.mktemp("one") / "out.jsonl"
    assert run(shop / "db-burns", "--incidents", out)[0] == 0
    return out.read_bytes()


def test_every_figure_of_the_contract_is_printed(of_all):
    found = json.loads(of_all[0])
    assert list(found["recordings"]) == ["bank-burns", "db-burns", "healthy"]
    for figures in (found["total"], found["systems"]["shop"], *found["recordings"].values()):
        assert set(figures) >= CONTRACT
        assert {"precision", "coverage"} <= set(figures["confident"])
        assert {"ac1", "ac3", "avg5"} <= set(figures["told"]) & set(figures["final"])
    assert set(found["total"]["baselines"]) == {
        "latest_change", "earliest_anomaly", "largest_deviation", "pagerank", "chance",
    }  # fmt: skip
    assert {case["root_service"] for case in found["cases"]} == {"db", "bank"}


def test_burning_processors_are_found_blind_and_health_is_left_alone(of_all):
    found = json.loads(of_all[0])
    assert (found["total"]["faults"], found["total"]["detected"], found["total"]["ac1"]) == (2, 2, 1)
    assert found["total"]["told"]["ac1"] == 1
    assert found["recordings"]["healthy"]["opened"] == 0
    assert found["total"]["false_incidents"] == 0


def test_the_same_bytes_twice_and_whatever_the_number_of_jobs(shop, of_all, tmp_path):
    code, printed, _ = run(shop, "--json", "--jobs", 3, "--incidents", tmp_path / "again.jsonl")
    assert code == 0
    assert without_clock(printed) == without_clock(of_all[0])
    assert (tmp_path / "again.jsonl").read_bytes() == of_all[1] != b""


def test_incidents_are_written_as_an_outside_scorer_reads_them(of_db_burns):
    (line,) = map(json.loads, of_db_burns.splitlines())
    assert set(line) == {
        "recording", "incident_id", "opened_ms", "onset_ms", "closed_ms", "severity", "is_candidate", "chain",
        "revisions",
    }  # fmt: skip
    assert line["recording"] == "db-burns"
    assert all(set(hop) == {"from", "to", "onset_ms"} for hop in line["chain"])
    times = [revision["published_ms"] for revision in line["revisions"]]
    assert times == sorted(times)
    assert times[0] == line["opened_ms"]
    for revision in line["revisions"]:
        assert set(revision) == {"published_ms", "confidence", "abstained", "ranked"}
        assert all(
            set(cause) == {"service", "role", "change_id", "kind", "confidence"}
            for cause in revision["ranked"]
        )
        assert revision["ranked"][0]["role"] == "root"


def test_labels_do_not_change_what_is_published(of_db_burns, tmp_path):
    write(tmp_path, "db-burns", ignored=[Ignored(0, 1)])
    (tmp_path / "db-burns/labels.jsonl").unlink()
    run(tmp_path / "db-burns", "--incidents", tmp_path / "unlabelled.jsonl")
    assert (tmp_path / "unlabelled.jsonl").read_bytes() == of_db_burns != b""


def test_a_blind_run_opens_no_labels_and_prints_no_figure(tmp_path):
    folder = write(tmp_path, "db-burns")
    for name in ("labels.jsonl", "ignore.jsonl"):
        (folder / name).write_text("not to be read\n")
    code, printed, said = run(folder, "--blind", "--incidents", tmp_path / "out.jsonl")
    assert (code, said) == (0, "")
    assert b"nothing was scored" in printed
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 1
    code, _, said = run(folder)
    assert code == 2
    assert "labels.jsonl, line 1: not JSON" in said


def test_told_times_are_ranked_instead_of_detected(shop, tmp_path):
    lines = [
        {"recording": "db-burns", "start_ms": START + 200 * MINUTE},
        {"recording": "db-burns", "start_ms": START + 100 * MINUTE},
    ]
    (tmp_path / "told.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    code, printed, _ = run(
        shop / "db-burns", "--json", "--told", tmp_path / "told.jsonl", "--incidents", tmp_path / "out.jsonl"
    )
    assert code == 0
    found = json.loads(printed)["total"]
    assert (found["detected"], found["ac1"], found["told"]["ac1"], found["false_incidents"]) == (1, 1, 1, 1)
    written = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [line["opened_ms"] for line in written] == [START + 100 * MINUTE, START + 200 * MINUTE]
    assert written[1]["revisions"][0]["ranked"][0]["service"] == "db"


def test_each_factor_is_left_out_in_turn(shop):
    from correlator.factors import NAMES

    found = json.loads(run(shop / "db-burns", "--json", "--ablate")[1])
    assert set(found["ablation"]) == {"full", *(f"without {name}" for name in NAMES)}
    assert all(set(groups) == {"total", "shop"} for groups in found["ablation"].values())
    assert found["ablation"]["full"]["total"]["ac1"] == found["total"]["ac1"]


def test_without_json_a_person_reads_tables(shop):
    code, printed, said = run(shop)
    assert (code, said) == (0, "")
    text = printed.decode()
    assert "db-burns" in text
    assert "all shop" in text
    assert "largest deviation" in text


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nowhere"], "nowhere: there is no such folder"),
        (["{folder}", "--signals", "metrics,feelings"], "'feelings' is no signal"),
        (["{folder}", "--told", "nowhere.jsonl"], "nowhere.jsonl: cannot be read"),
        (["{folder}", "--incidents", "no/such/folder/out.jsonl"], "cannot be written"),
        (["{folder}", "--report", "{folder}/healthy/metrics.parquet"], "cannot be written"),
        (["{folder}", "--blind", "--ablate"], "--blind scores nothing"),
        (["{folder}/healthy/metrics.parquet"], "is a file; a recording is a folder"),
    ],
)
def test_a_mistake_is_answered_in_one_line(shop, arguments, says):
    code, printed, said = run(*(argument.format(folder=shop) for argument in arguments))
    assert code == 2
    assert printed == b""
    assert says in said
    assert "Traceback" not in said
    assert len(said.strip().splitlines()) == 1


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_half_written_file_is_one_line_too(shop, tmp_path, jobs):
    write(tmp_path, "one")
    broken = write(tmp_path, "two") / "metrics.parquet"
    broken.write_bytes(broken.read_bytes()[:1000])
    code, _, said = run(tmp_path, "--jobs", jobs)
    assert code == 2
    assert said.startswith(f"headwater: {broken}: not a complete Parquet file")
    assert "Traceback" not in said


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_interrupt_ends_all_processes_quietly(tmp_path, jobs):
    for number in range(4):
        write(tmp_path, f"r{number}", minutes=2000, fault_minute=None)
    begun = tmp_path / "out.jsonl"
    command = [Path(sys.executable).with_name("headwater"), "eval", tmp_path, "--jobs", str(jobs)]
    process = subprocess.Popen(
        [*command, "--incidents", begun],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    while not begun.exists():  # it is made before the first recording is run, and filled at the end
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=0.05)
    os.killpg(process.pid, signal.SIGINT)
    printed, said = process.communicate(timeout=20)
    assert process.returncode == 130
    assert printed == b""
    assert b"Traceback" not in said


def test_settled_incidents_are_those_that_are_written(shop, of_db_burns):
    written = [json.loads(line) for line in of_db_burns.splitlines()]
    settled = settled_incidents(Recording.open(shop / "db-burns"))
    assert list(settled) == [line["incident_id"] for line in written]
    for line, incident in zip(written, settled.values(), strict=True):
        assert incident.settled
        assert incident.hypotheses[0].service == line["revisions"][-1]["ranked"][0]["service"]


@pytest.mark.recordings
def test_a_real_recording_is_scored_above_every_simple_rule():
    folder = settings.load().recordings
    if folder is None or not (folder / "online-boutique-0822").is_dir():
        pytest.skip("HEADWATER_RECORDINGS names no folder with online-boutique-0822")
    found = json.loads(run(folder / "online-boutique-0822", "--json")[1])["total"]
    assert found["faults"] == 24
    assert found["fault_free_hours"] == pytest.approx(16.0, abs=0.5)
    for rule in found["baselines"].values():
        assert rule["ac1"] < found["ac1"]
        assert rule["told"]["ac1"] < found["told"]["ac1"]


def test_the_report_is_one_page_that_needs_nothing_from_elsewhere(shop, tmp_path):
    assert run(shop / "db-burns", "--report", str(tmp_path / "page"))[0] == 0
    text = (tmp_path / "page" / "index.html").read_text()
    plots = {file.stem for file in (tmp_path / "page").glob("*.svg")}
    assert {"risk-coverage", "reliability"} < plots
    assert text.count("<svg") == len(plots)
    assert "http" not in text.replace("http://www.w3.org/", "")
    assert "db-burns" in text


def test_an_incident_is_an_example_of_what_it_looked_like_and_of_whether_its_name_was_right(shop, tmp_path):
    other = shutil.copytree(shop / "db-burns", tmp_path / "blames-web")
    labels = other / "labels.jsonl"
    labels.write_text(labels.read_text().replace('"db"', '"web"'))

    right, wrong = (gather([Lesson(*open_named([folder]))], jobs=1) for folder in (shop / "db-burns", other))

    assert [example.right for example in right if example.judged] == [True]
    assert [example.right for example in wrong if example.judged] == [False]
    assert [example.looks for example in right] == [example.looks for example in wrong]
    assert all({"lead", "score", "explains", "flips"} <= example.looks.keys() for example in right)


def calls_seen(minutes=260):
    """Every call, once a minute; nothing about them ever changes."""
    times = [(START + minute * MINUTE, *call) for minute in range(1, minutes) for call in CALLS]
    names = ("ts_ms", "caller", "callee")
    known = dict(zip(names, map(list, zip(*times, strict=True)), strict=True))
    known |= {"calls": [60.0] * len(times), "errors": [0.0] * len(times)}
    durations = ("client_p50_s", "client_p95_s", "server_p50_s", "server_p95_s", "gap_p95_s")
    return pa.table(known | dict.fromkeys(durations, [math.nan] * len(times)))


def test_a_system_can_be_learnt_from_without_its_calls_and_logs(tmp_path):
    recording = Recording.open(write(tmp_path, "db-burns", edges=calls_seen()))
    assert lessons_of(1, recording) == [Lesson(recording)], "every second system is shown once"
    examples = gather(lessons_of(0, recording), jobs=1)
    whole, bare = ([e for e in examples if e.whole is kind] for kind in (True, False))
    assert whole
    assert bare
    assert {e.looks["unseen"] for e in whole} == {0.0}
    assert {e.looks["unseen"] for e in bare} == {1.0}
    assert {e.system for e in examples} == {"shop"}, "left out together when the confidence is judged"
    assert {e.recording for e in whole}.isdisjoint(e.recording for e in bare), "two incidents, not one twice"


def test_too_few_labelled_incidents_to_fit_on_are_counted(shop, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["calibrate", str(shop / "db-burns")])
    assert ended.value.code == 2
    assert "1 labelled incidents of 1 systems are too few" in capsys.readouterr().err
