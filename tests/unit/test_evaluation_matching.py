from pathlib import Path

import pytest

from streams.evaluation.matching import faults_of, match
from streams.evaluation.published import Cause, Published, Revision
from streams.recording import Ignored, Label, Recording

MINUTE = 60_000
HOUR = 60 * MINUTE


def recording(interval_s=60.0, end_ms=10 * HOUR):
    return Recording(Path("r"), "r", "shop", 0, end_ms, interval_s, (), ())


def incident(name, opened_ms, *services):
    ranked = tuple(Cause(s, "root", None, "service", 0.5) for s in services)
    revisions = (Revision(opened_ms, 0.5, None, ranked),)
    return Published("r", name, opened_ms, opened_ms, None, "high", True, (), revisions)


def label(name, start_ms, end_ms, root="cart"):
    return Label(name, start_ms, end_ms, root)


def judged(incidents, labels, ignored=(), **kind):
    mine = recording(**kind)
    found = match(mine, incidents, faults_of(mine, labels), ignored)
    answers = {fault.label.fault_id: answer and answer.incident_id for fault, answer in found.answers}
    fates = {one.incident_id: str(fate) for one, fate, _ in found.fates}
    return answers, fates, found.fault_free_hours


@pytest.mark.parametrize(
    ("opened_ms", "fate"),
    [
        (HOUR - 1, "false"),
        (HOUR, "matched"),
        (HOUR + 5 * MINUTE, "matched"),
        (HOUR + 5 * MINUTE + 1, "unmatched"),
        (HOUR + 20 * MINUTE, "unmatched"),
        (HOUR + 20 * MINUTE + 1, "aftermath"),
        (HOUR + 25 * MINUTE, "aftermath"),
        (HOUR + 25 * MINUTE + 1, "false"),
    ],
)
def test_an_incident_is_judged_by_when_it_opened(opened_ms, fate):
    answers, fates, _ = judged([incident("i", opened_ms)], [label("f", HOUR, HOUR + 20 * MINUTE)])
    assert fates == {"i": fate}
    assert answers == {"f": "i" if fate == "matched" else None}


def test_slow_recordings_get_two_intervals():
    _, fates, _ = judged([incident("i", HOUR + 10 * MINUTE)], [label("f", HOUR, 2 * HOUR)], interval_s=300)
    assert fates == {"i": "matched"}


def test_of_two_incidents_in_a_window_the_first_answers_and_the_second_is_extra():
    answers, fates, _ = judged(
        [incident("b", HOUR + MINUTE, "cart"), incident("a", HOUR, "other")], [label("f", HOUR, 2 * HOUR)]
    )
    assert answers == {"f": "a"}
    assert fates == {"a": "matched", "b": "unmatched"}


def test_one_incident_answers_one_fault_only():
    labels = [label("f1", HOUR, 2 * HOUR), label("f2", HOUR, 2 * HOUR)]
    answers, _, _ = judged([incident("i", HOUR)], labels)
    assert answers == {"f1": "i", "f2": None}
    answers, _, _ = judged([incident("i", HOUR), incident("k", HOUR)], labels)
    assert answers == {"f1": "i", "f2": "k"}


def test_a_fault_in_an_ignored_stretch_counts_but_a_stray_incident_there_does_not():
    answers, fates, _ = judged(
        [incident("hit", 3 * HOUR), incident("late", 3 * HOUR + 10 * MINUTE), incident("stray", 2 * HOUR)],
        [label("f", 3 * HOUR, 4 * HOUR)],
        [Ignored(HOUR, 5 * HOUR)],
    )
    assert answers == {"f": "hit"}
    assert fates == {"hit": "matched", "late": "ignored", "stray": "ignored"}


def test_an_open_ended_fault_lasts_until_the_recording_ends():
    _, fates, hours = judged([incident("i", 9 * HOUR)], [label("f", 5 * HOUR, None)])
    assert fates == {"i": "unmatched"}
    assert hours == 5


def test_fault_free_hours_leave_out_faults_aftermath_and_ignored_stretches_once():
    labels = [label("f", HOUR, HOUR + 10 * MINUTE), label("g", HOUR + 5 * MINUTE, HOUR + 25 * MINUTE)]
    _, _, hours = judged([], labels, [Ignored(HOUR + 20 * MINUTE, 2 * HOUR), Ignored(9 * HOUR, 99 * HOUR)])
    assert hours == pytest.approx(10 - 1 - 1)
    _, _, hours = judged([], labels)
    assert hours == pytest.approx(10 - 0.5)


def test_a_told_time_may_be_a_little_early():
    mine = recording()
    early = [incident("i", HOUR - MINUTE)]
    ((_, blind),) = match(mine, early, faults_of(mine, [label("f", HOUR, None)]), ()).answers
    assert blind is None
    ((_, told),) = match(mine, early, faults_of(mine, [label("f", HOUR, None)], told=True), ()).answers
    assert told is not None
