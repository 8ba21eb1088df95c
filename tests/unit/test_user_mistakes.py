"""What a person gets wrong costs one line and exit code 2, before any work is done."""

import pytest

from streams.cli import main


@pytest.fixture
def config(tmp_path):
    """A settings file whose broker is not there."""
    path = tmp_path / "headwater.yaml"
    path.write_text("kafka: {bootstrap_servers: '127.0.0.1:1'}\n")
    return path


def refused(capsys, *arguments):
    with pytest.raises(SystemExit) as left:
        main([str(each) for each in arguments])
    captured = capsys.readouterr()
    assert (left.value.code, captured.out) == (2, "")
    (line,) = captured.err.splitlines()
    return line


@pytest.mark.parametrize(
    ("topics", "said"), [("[]", "it is empty"), ("[nowhere]", "nowhere is not in detect.topics")]
)
def test_topics_to_route_that_detect_does_not_read(capsys, config, topics, said):
    config.write_text(f"route: {{topics: {topics}}}\n")
    assert said in refused(capsys, "run", "--stage", "route", "--config", config)


def test_topics_to_route_are_checked_by_the_stages_that_only_read_them(capsys, config):
    config.write_text("route: {topics: [nowhere]}\n")
    assert "nowhere is not in" in refused(capsys, "run", "--stage", "detect", "--config", config)


def test_dead_letters_of_a_broker_that_is_away(capsys, config):
    assert "no Kafka broker answers" in refused(capsys, "dlq", "replay", "--yes", "--config", config)


def test_a_story_is_not_simulated_when_there_is_no_broker_to_play_it_to(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("HEADWATER_KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:1")
    out = tmp_path / "out"
    options = ("--scenario", "healthy", "--hours", "0.1", "--live", "--out", out)
    assert "no Kafka broker answers" in refused(capsys, "simulate", *options)
    assert not out.exists()


@pytest.mark.parametrize("stage", [(), ("--stage", "correlate")])
def test_a_state_folder_that_is_a_file(capsys, config, tmp_path, stage):
    (tmp_path / "taken").write_text("")
    config.write_text(f"state_dir: {tmp_path / 'taken' / 'state'}\n")
    said = refused(capsys, "run", *stage, "--config", config)
    assert "HEADWATER_STATE_DIR" in said
    assert "taken/state: cannot be written (Not a directory)" in said


def test_a_kafka_property_that_does_not_exist(capsys, config):
    config.write_text("kafka: {client: {sasl.passwort: hunter2}}\n")
    said = refused(capsys, "topics", "check", "--config", config)
    assert "kafka.client" in said
    assert "sasl.passwort" in said
    assert "hunter2" not in said


def test_a_demo_on_a_broker_that_is_away_simulates_nothing(capsys, monkeypatch):
    monkeypatch.setenv("HEADWATER_KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:1")
    with pytest.raises(SystemExit) as left:
        main(["demo"])
    captured = capsys.readouterr()
    assert left.value.code == 2
    assert "no Kafka broker answers at 127.0.0.1:1" in captured.err
    assert "simulating" not in captured.out


def test_a_command_that_nearly_is_one(capsys):
    assert "did you mean `topology`?" in refused(capsys, "topolgy")


def test_a_fault_of_ours_is_one_line_and_a_file_with_the_traceback(capsys, monkeypatch, tmp_path):
    from streams import settings

    def broken(_file):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(settings, "load", broken)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(SystemExit) as left:
        main(["config"])
    (line,) = capsys.readouterr().err.splitlines()
    (file,) = tmp_path.iterdir()
    assert left.value.code == 70
    assert "fault of headwater, not yours: ZeroDivisionError: a bug" in line
    assert str(file) in line
    assert "Traceback" in file.read_text()
