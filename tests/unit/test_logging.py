import io
import json
import logging

import pytest
import structlog

from streams.logging import configure
from streams.settings import LogSettings


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def _as_it_was():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(stream):
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_off_a_terminal_every_line_is_one_json_object():
    stream = io.StringIO()
    configure(LogSettings(), stream)
    structlog.get_logger("headwater.detect").info("tick closed", anomalies=3, note="Grüße\nzweite Zeile")
    (line,) = lines(stream)
    assert line["message"] == "tick closed"
    assert line["level"] == "info"
    assert line["logger"] == "headwater.detect"
    assert line["anomalies"] == 3
    assert line["timestamp"].endswith("Z")


def test_what_libraries_log_comes_out_in_the_same_form():
    stream = io.StringIO()
    configure(LogSettings(), stream)
    logging.getLogger("aiokafka").warning("lost %s", "broker", extra={"node": 1})
    (line,) = lines(stream)
    assert (line["message"], line["level"], line["logger"]) == ("lost broker", "warning", "aiokafka")
    assert line["node"] == 1


def test_bound_context_is_on_every_line():
    stream = io.StringIO()
    configure(LogSettings(), stream)
    structlog.contextvars.bind_contextvars(incident_id="hw-1", trace_id="t")
    structlog.get_logger("a").info("x")
    logging.getLogger("b").error("y")
    assert [(line["incident_id"], line["trace_id"]) for line in lines(stream)] == [("hw-1", "t")] * 2


def test_an_exception_is_data_not_loose_lines():
    stream = io.StringIO()
    configure(LogSettings(), stream)
    try:
        raise ValueError("broken")
    except ValueError:
        structlog.get_logger("a").exception("failed")
    (line,) = lines(stream)
    assert line["exception"][0]["exc_type"] == "ValueError"


@pytest.mark.parametrize(("level", "heard"), [("debug", 3), ("info", 2), ("error", 0)])
def test_the_level_holds_for_both_kinds(level, heard):
    stream = io.StringIO()
    configure(LogSettings(level=level), stream)
    structlog.get_logger("a").debug("x")
    structlog.get_logger("a").info("y")
    logging.getLogger("b").info("z")
    assert len(lines(stream)) == heard


def test_a_terminal_gets_lines_for_a_person():
    stream = Terminal()
    configure(LogSettings(), stream)
    structlog.get_logger("a").info("tick closed", anomalies=3)
    assert "tick closed" in stream.getvalue()
    assert not stream.getvalue().startswith("{")


def test_the_format_can_be_forced_either_way():
    forced, plain = Terminal(), io.StringIO()
    configure(LogSettings(format="json"), forced)
    structlog.get_logger("a").info("x")
    assert lines(forced)[0]["message"] == "x"
    configure(LogSettings(format="console"), plain)
    structlog.get_logger("a").info("y", n=1)
    assert "n=1" in plain.getvalue()


def test_configuring_twice_does_not_double_the_lines():
    stream = io.StringIO()
    configure(LogSettings(), stream)
    configure(LogSettings(), stream)
    structlog.get_logger("a").info("x")
    assert len(lines(stream)) == 1
