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
