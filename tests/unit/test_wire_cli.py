"""`headwater decode` and `headwater schema`, from a person's side."""

import io
import json
import sys
from pathlib import Path

import pytest

from streams.cli import main

PAYLOADS = Path(__file__).parents[1] / "golden" / "payloads"


def run(*arguments):
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return ended.value.code or 0


@pytest.fixture
def value(tmp_path):
    """Writes one record of a golden payload to a file."""

    def write(name):
        (record, *_) = json.loads((PAYLOADS / f"{name}.json").read_text("utf-8"))["records"]
        file = tmp_path / f"{name}.bin"
        file.write_text(record["text"] if "text" in record else json.dumps(record["document"]))
        return str(file)

    return write


def test_a_record_is_shown_as_what_it_becomes(value, capsys):
    assert run("decode", value("otlp-gauge"), "--topic", "otlp_metrics", "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    golden = json.loads((PAYLOADS / "otlp-gauge.json").read_text("utf-8"))
    assert shown["becomes"] == golden["becomes"]
    assert (shown["decoder"], shown["taken"]) == ("otlp_metrics", 2)


def test_poison_says_why_and_where_and_fails(value, capsys):
    assert run("decode", value("bad-otlp-json"), "--topic", "otlp_metrics") == 1
    out = capsys.readouterr().out
    assert "would be dead-lettered at resourceMetrics[0].scopeMetrics[0]" in out
    assert "expected a whole number" in out


def test_the_decoder_can_be_given_without_a_topic(value, capsys):
    assert run("decode", value("native-logs"), "--decoder", "native_logs") == 0
    assert "body=boom" in capsys.readouterr().out


def test_headers_choose_the_decoder(value, capsys):
    headers = ["--header", "content-type=application/cloudevents+json"]
    assert run("decode", value("cdevents-0.5-structured"), "--topic", "x", *headers) == 0
    assert "service=shop/payment" in capsys.readouterr().out


def test_standard_input_is_a_dash(monkeypatch, capsys):
    class Standard:
        buffer = io.BytesIO(b'{"service":"cart","body":"hello"}')

    monkeypatch.setattr(sys, "stdin", Standard())
    assert run("decode", "-", "--topic", "headwater.logs") == 0
    assert "body=hello" in capsys.readouterr().out


def test_long_records_are_cut_and_counted(tmp_path, capsys):
    file = tmp_path / "many.json"
    file.write_text(json.dumps([{"service": "cart", "body": str(n), "ts_ms": 1} for n in range(25)]))
    assert run("decode", str(file), "--topic", "headwater.logs") == 0
    assert "and 5 more logs" in capsys.readouterr().out
    assert run("decode", str(file), "--topic", "headwater.logs", "--all") == 0
    assert "body=24" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "give FILE, or --topic and --offset"),
        (("nowhere.bin",), "nowhere.bin: cannot be read"),
        (("f", "--topic", "t", "--offset", "1"), "not both"),
        (("f", "--header", "x"), "expected NAME=VALUE"),
        (("f", "--decoder", "xml"), "there is no decoder 'xml'"),
        ((__file__,), "give its --topic, or its --decoder"),
    ],
)
def test_mistakes_are_one_line(arguments, said, capsys):
    assert run("decode", *arguments) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_decoders_are_listed_with_what_they_read(capsys):
    assert run("decode", "--list") == 0
    assert "otlp_metrics" in capsys.readouterr().out


def test_schemas_are_written_as_files(tmp_path, capsys):
    assert run("schema", "export", "--out", str(tmp_path / "schemas")) == 0
    assert {file.name for file in (tmp_path / "schemas").iterdir()} >= {"evidence-record.json"}
    assert run("schema", "show", "incident-record") == 0
    assert '"x-topic": "headwater.incidents"' in capsys.readouterr().out


def test_a_schema_that_does_not_exist_lists_those_that_do(capsys):
    assert run("schema", "show", "nothing") == 2
    assert "there are: evidence-record" in capsys.readouterr().err
