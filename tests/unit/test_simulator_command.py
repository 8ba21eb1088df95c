"""`headwater simulate`: what it prints, and what it says of a person's mistakes."""

import json

import pytest

from streams.cli import main
from streams.cli.app import COMMANDS


def run(capsys, *arguments):
    try:
        main(["simulate", *arguments])
        code = 0
    except SystemExit as stop:
        code = int(stop.code or 0)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_the_list_names_every_scenario_with_its_story(capsys):
    code, out, _ = run(capsys, "--list", "--json")
    assert code == 0
    stories = {s["name"]: s["story"] for s in json.loads(out)}
    assert {"cascade", "hidden-redis", "job-not-deploy", "healthy", "undecidable"} <= set(stories)
    assert all(stories.values())


def test_a_scenario_is_written_where_it_was_asked_for(capsys, tmp_path):
    options = ("--scenario", "cascade", "--hours", "0.2", "--out", str(tmp_path), "--json")
    code, out, _ = run(capsys, *options)
    assert code == 0
    assert json.loads(out) == {"recordings": [str(tmp_path / "cascade")]}
    assert (tmp_path / "cascade" / "recording.json").is_file()


def test_worlds_are_the_same_bytes_however_many_are_written_at_once(capsys, tmp_path):
    written = {}
    for jobs in ("1", "2"):
        options = ("--worlds", "2", "--faults", "1", "--hours", "0.2", "--services", "9", "--jobs", jobs)
        code, out, err = run(capsys, *options, "--out", str(tmp_path / jobs))
        assert (code, err) == (0, "")
        assert out.splitlines() == [str(tmp_path / jobs / f"world-000{number}") for number in (0, 1)]
        files = sorted(path for path in (tmp_path / jobs).rglob("*") if path.is_file())
        written[jobs] = {str(path.relative_to(tmp_path / jobs)): path.read_bytes() for path in files}
    assert len(written["1"]) == 22
    assert written["1"] == written["2"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "--scenario NAME"),
        (("--scenario", "nope"), "there is no scenario 'nope'"),
        (("--scenario", "cascade", "--worlds", "1"), "exclude each other"),
        (("--worlds", "2", "--live"), "--live plays one recording"),
        (("--scenario", "healthy", "--traces"), "--traces says what --live publishes"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(capsys, arguments, says):
    code, out, err = run(capsys, *arguments)
    assert code == 2
    assert out == ""
    assert says in err
    assert len(err.strip().splitlines()) == 1


def test_the_command_is_in_the_table():
    assert COMMANDS["simulate"][0] == "streams.cli.simulate"


def test_a_folder_that_is_no_recording_is_left_alone(capsys, tmp_path):
    (tmp_path / "healthy").mkdir()
    (tmp_path / "healthy" / "thesis.txt").write_text("years of work")
    code, _, err = run(capsys, "--scenario", "healthy", "--hours", "0.1", "--out", str(tmp_path))
    assert code == 2
    assert "not overwritten" in err
    assert (tmp_path / "healthy" / "thesis.txt").read_text() == "years of work"


def test_a_recording_that_is_there_already_is_replaced(capsys, tmp_path):
    options = ("--scenario", "healthy", "--hours", "0.1", "--out", str(tmp_path))
    run(capsys, *options)
    first = (tmp_path / "healthy" / "metrics.parquet").read_bytes()
    code, _, _ = run(capsys, *options, "--seed", "2")
    assert code == 0
    assert (tmp_path / "healthy" / "metrics.parquet").read_bytes() != first


def test_a_path_that_cannot_be_written_is_one_line(capsys, tmp_path):
    (tmp_path / "file").write_text("")
    code, _, err = run(capsys, "--scenario", "healthy", "--hours", "0.1", "--out", str(tmp_path / "file"))
    assert code == 2
    assert "cannot be written" in err
    assert len(err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    "nonsense",
    [
        ("--hours", "inf"),
        ("--hours", "nan"),
        ("--seed", "-1"),
        ("--interval-s", "0"),
        ("--interval-s", "1e9"),
    ],
)
def test_numbers_out_of_range_are_refused_before_anything_is_written(capsys, tmp_path, nonsense):
    code, _, err = run(capsys, "--scenario", "healthy", "--out", str(tmp_path), *nonsense)
    assert code == 2
    assert nonsense[0] in err
    assert list(tmp_path.iterdir()) == []
