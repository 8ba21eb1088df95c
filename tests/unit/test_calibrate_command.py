"""`headwater calibrate`, from a person's side."""

import runpy

import pytest

from correlator.confidence import Prior
from streams.cli import main
from streams.cli.calibrate import module


def run(*arguments):
    with pytest.raises(SystemExit) as ended:
        main(["calibrate", *map(str, arguments)])
    return ended.value.code or 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "say what to learn from"),
        (("nowhere",), "no such folder"),
        (("--worlds", "1", "--out", "nowhere/prior.py"), "its folder does not exist"),
    ],
)
def test_a_mistake_is_one_line(arguments, says, capsys):
    assert run(*arguments) == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1


def test_what_is_written_is_a_module_that_holds_the_fit(tmp_path):
    prior = Prior(-0.5, {"lead": 1.25}, {"lead": 0.5}, {"lead": 0.25})
    (tmp_path / "prior.py").write_text(module(prior))
    found = runpy.run_path(str(tmp_path / "prior.py"))
    assert Prior(found["BIAS"], found["WEIGHTS"], found["CENTRE"], found["SCALE"]) == prior
