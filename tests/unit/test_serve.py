"""What the health endpoint does when those who ask misbehave."""

import pytest

from streams.serve import Server


@pytest.mark.parametrize("error", [BrokenPipeError, ConnectionResetError])
def test_a_probe_that_hangs_up_leaves_nothing_in_the_log(capfd, error):
    with Server(("127.0.0.1", 0), None) as server:
        try:
            raise error
        except ConnectionError:
            server.handle_error(None, ("127.0.0.1", 1))
    assert capfd.readouterr() == ("", "")


def test_a_fault_in_an_answer_is_one_line(capfd):
    with Server(("127.0.0.1", 0), None) as server:
        try:
            raise ZeroDivisionError
        except ZeroDivisionError:
            server.handle_error(None, ("127.0.0.1", 1))
    out, err = capfd.readouterr()
    assert "ZeroDivisionError" in out + err
    assert "Traceback" not in out + err
