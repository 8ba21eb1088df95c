"""Every command explains itself, in one style, and its mistakes cost no page."""

import pytest

from streams.cli import main
from streams.cli.app import COMMANDS

BOXES = "╭─│╰"


def said(capsys, *arguments):
    with pytest.raises(SystemExit) as left:
        main(list(arguments))
    captured = capsys.readouterr()
    return left.value.code or 0, captured.out, captured.err


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_says_how_it_is_used(capsys, name):
    code, out, _ = said(capsys, name, "--help")
    assert code == 0
    assert out.startswith(f"Usage: headwater {name} ")
    assert "--help" in out
    assert not set(BOXES) & set(out)


@pytest.mark.parametrize("name", COMMANDS)
def test_an_option_that_does_not_exist_is_told_in_three_lines(capsys, name):
    code, out, err = said(capsys, name, "--no-such-option")
    assert (code, out) == (2, "")
    assert err.splitlines()[-1].startswith("Error: No such option: --no-such-option")
    assert not set(BOXES) & set(err)


def test_the_list_names_every_command(capsys):
    main(["--help"])
    out = capsys.readouterr().out
    assert [name for name in COMMANDS if f"  {name} " not in out] == []
