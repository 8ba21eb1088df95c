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


def test_worlds_are_written_side_by_side(capsys, tmp_path):
    options = ("--worlds", "2", "--faults", "1", "--hours", "0.2", "--services", "9", "--out", str(tmp_path))
    code, out, _ = run(capsys, *options)
    assert code == 0
    assert out.splitlines() == [str(tmp_path / "world-0000"), str(tmp_path / "world-0001")]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "--scenario NAME"),
        (("--scenario", "nope"), "there is no scenario 'nope'"),
        (("--scenario", "cascade", "--worlds", "1"), "exclude each other"),
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
