"""`headwater explain` on a file of incidents, from a person's side."""

import json

import pytest

from correlator.evidence import Change, ChangeKind
from correlator.incident import CauseKind
from correlator.reasoning import explain as reason
from detectors.anomaly import Family
from streams.cli import main
from tests.golden.examples import ABSTAINED, EVENTS
from tests.hand_made import MINUTE, T0, edge, episode, opened


def cascade():
    """A database fails a minute after it was changed; a deploy elsewhere is innocent."""
    at = T0 + 10 * MINUTE
    yield edge("web", "cart")
    yield edge("cart", "db")
    for number, (service, when) in enumerate((("db", at - MINUTE), ("mail", at - 5 * MINUTE))):
        yield Change(id=f"c{number}", domain="shop", ts_ms=when, kind=ChangeKind.CONFIG, service=service)
    yield from episode("db", Family.SATURATION, at, score=11.0)
    yield from episode("db", Family.LATENCY, at)
    yield from episode("cart", Family.LATENCY, at, observed=3.0)
    yield from episode("web", Family.LATENCY, at, observed=4.0)


@pytest.fixture
def said(tmp_path, capsys):
    """Explains the incident of some evidence; returns the sections of the text by title."""

    def explain(items, *more):
        (incident,) = opened(items).values()
        file = tmp_path / "incidents.jsonl"
        file.write_text(incident.model_dump_json(by_alias=True))
        with pytest.raises(SystemExit) as ended:
            main(["explain", incident.id[:10], "--file", str(file), *more])
        assert (ended.value.code or 0) == 0
        return incident, capsys.readouterr().out

    return explain


def section(text, title):
    _, _, rest = text.partition(f"\n{title}\n")
    return rest.split("\n\n")[0].splitlines()


def test_the_cause_stands_first_with_the_terms_that_add_up_to_its_score(said):
    incident, text = said(cascade())
    assert "Likely cause: db" in text
    terms = [
        float(line.split()[0])
        for line in text.partition("Because (")[2].splitlines()[1:]
        if line[:2] == "  " and line[2:].strip()[0] in "+-"
    ]
    assert sum(terms) == pytest.approx(incident.hypotheses[0].score, abs=0.3)


def test_the_next_two_are_told_why_they_are_not_it(said):
    _, text = said(cascade())
    lines = section(text, "Why not")
    assert [line.split(":")[0].strip() for line in lines] == ["cart", "web"]
    assert "db" in lines[0]


def test_the_innocent_deploy_is_exonerated_with_a_reason(said):
    _, text = said(cascade())
    assert any("mail" in line and "did not change after it" in line for line in section(text, "Exonerated"))


def test_what_nobody_looked_at_is_said(said):
    _, text = said(cascade())
    assert any("logs" in line for line in section(text, "Not checked"))


def test_the_way_it_spread_names_who_knows_each_edge(said):
    _, text = said(cascade())
    assert section(text, "How it spread from db")[:1] == [
        "  db → cart  +0 s  (edge known from service_graph)"
    ]


def test_what_headwater_measures_of_calls_is_said_in_words_and_with_units(said):
    def slow_call():
        at = T0 + 10 * MINUTE
        yield edge("web", "db")
        wait = {"metric": "gap_p95_s", "observed": 0.9, "expected": 0.004}
        yield from episode("web", Family.GAP, at, peer="db", score=12.0, **wait)
        yield from episode("db", Family.SATURATION, at, metric="pool", unit="{connection}", score=11.0)

    _, text = said(slow_call())
    assert "web → db time between caller and callee p95 900 ms against 4 ms since" in text
    assert "db pool 2 connection against 1 connection since" in text
    assert "gap_p95_s" not in text


def test_a_job_is_asked_to_be_stopped_and_a_change_to_be_taken_back(said):
    incident, text = said(cascade())
    first = incident.hypotheses[0]
    assert f"Does db recover when the change is taken back ({first.change_id})?" in text
    blamed = first.model_copy(update={"kind": CauseKind.JOB})
    question = reason(incident.model_copy(update={"hypotheses": (blamed,)})).next_question
    assert question == f"Does db recover when the job is stopped ({first.change_id})?"


def test_an_abstention_names_no_cause_and_says_what_would_decide(tmp_path, capsys):
    file = tmp_path / "one.jsonl"
    file.write_text(ABSTAINED.model_dump_json(by_alias=True))
    with pytest.raises(SystemExit):
        main(["explain", ABSTAINED.id, "--file", str(file)])
    text = capsys.readouterr().out
    assert "No cause is named" in text
    assert "Because" not in text
    assert f"Would decide: {ABSTAINED.abstention.next_question}" in text


def test_an_older_revision_is_explained_when_asked_for(tmp_path, capsys):
    (incident,) = opened(cascade()).values()
    older = incident.model_copy(update={"revision": 1, "title": "as it looked at first"})
    newer = incident.model_copy(update={"revision": 7})
    file = tmp_path / "two.jsonl"
    file.write_text("\n".join(i.model_dump_json(by_alias=True) for i in (older, newer)))
    with pytest.raises(SystemExit):
        main(["explain", incident.id, "--file", str(file), "--revision", "1", "--json"])
    assert json.loads(capsys.readouterr().out)["title"] == "as it looked at first"
    with pytest.raises(SystemExit) as ended:
        main(["explain", incident.id, "--file", str(file), "--revision", "3"])
    assert ended.value.code == 2
    assert "has no revision 3" in capsys.readouterr().err


def test_a_revision_says_what_is_new_and_a_merger_where_it_came_from(tmp_path, capsys):
    (incident,) = opened(cascade()).values()
    now = {"what_changed": "the first hypothesis is now db, it was web", "supersedes": ("hw-younger",)}
    file = tmp_path / "one.jsonl"
    file.write_text(incident.model_copy(update=now).model_dump_json(by_alias=True))
    with pytest.raises(SystemExit):
        main(["explain", incident.id, "--file", str(file)])
    text = capsys.readouterr().out
    assert "New in this revision: the first hypothesis is now db, it was web" in text
    assert "Merged into this one: hw-younger" in text


def test_cloud_events_are_read_as_they_stand_on_the_topic(tmp_path, capsys):
    file = tmp_path / "events.jsonl"
    file.write_bytes(b"\n".join(EVENTS[name] for name in EVENTS if name.startswith("incident")))
    with pytest.raises(SystemExit) as ended:
        main(["explain", "", "--file", str(file)])
    assert (ended.value.code or 0) == 0
    assert capsys.readouterr().out


@pytest.mark.parametrize(
    ("lines", "named"),
    [
        ("", "there is no incident"),
        ("{}", "line 1: not an incident"),
        ("nonsense", "line 1: not an incident"),
    ],
)
def test_a_file_that_holds_no_such_incident_is_one_line(tmp_path, capsys, lines, named):
    file = tmp_path / "wrong.jsonl"
    file.write_text(lines)
    with pytest.raises(SystemExit) as ended:
        main(["explain", "hw-1", "--file", str(file)])
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert named in error
    assert error.count("\n") == 1
