"""What must hold of the scores whatever was published and whatever is true."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.evaluation.baselines import Past
from streams.evaluation.figures import figures
from streams.evaluation.matching import Fate, faults_of, match
from streams.evaluation.published import Cause, Published, Revision
from streams.evaluation.score import judge
from streams.recording import Ignored, Label, Recording

MINUTE = 60_000
END = 600
SERVICES = ("cart", "db", "front", "pay")

minutes = st.integers(0, END)
services = st.sampled_from(SERVICES)


@st.composite
def published(draw, number):
    opened = draw(minutes) * MINUTE
    revisions = []
    for step in range(draw(st.integers(1, 3))):
        ranked = draw(st.lists(services, max_size=4))
        confidence = draw(st.floats(0, 1))
        revisions.append(
            Revision(
                opened + step * 4 * MINUTE,
                confidence,
                draw(st.sampled_from([None, None, "novel_pattern"])),
                tuple(Cause(s, "root", None, "service", confidence) for s in ranked),
            )
        )
    return Published(
        "r", f"i{number}", opened, opened, None, "high", draw(st.booleans()), (), tuple(revisions)
    )


@st.composite
def worlds(draw):
    interval_s = draw(st.sampled_from([15.0, 60.0, 300.0]))
    recording = Recording(Path("r"), "r", "shop", 0, END * MINUTE, interval_s, (), ())
    labels = []
    for number in range(draw(st.integers(0, 4))):
        start = draw(minutes)
        end = draw(st.one_of(st.none(), st.integers(start, END)))
        labels.append(Label(f"f{number}", start * MINUTE, end and end * MINUTE, draw(services)))
    ignored = [
        Ignored(start * MINUTE, (start + draw(st.integers(0, 100))) * MINUTE)
        for start in draw(st.lists(minutes, max_size=2))
    ]
    incidents = [draw(published(number)) for number in range(draw(st.integers(0, 6)))]
    return recording, incidents, labels, ignored


def scored(recording, incidents, labels, ignored):
    matching = match(recording, incidents, faults_of(recording, labels), ignored)
    return matching, judge(recording, matching, {}, Past([]))


@given(worlds())
def test_every_incident_has_one_fate_and_every_fault_one_answer(world):
    matching, judged = scored(*world)
    _, incidents, labels, _ = world
    assert sorted(o.incident_id for o in judged.openings) == sorted(i.incident_id for i in incidents)
    answered = [answer.incident_id for _, answer in matching.answers if answer]
    assert len(answered) == len(set(answered))
    assert len(judged.cases) == len(labels)
    assert sum(o.fate is Fate.MATCHED for o in judged.openings) == sum(c.detected for c in judged.cases)


@given(worlds())
def test_figures_are_shares_and_never_contradict_each_other(world):
    _, judged = scored(*world)
    found = figures([judged])
    assert 0 <= found["fault_free_hours"] <= END / 60
    assert found["detected"] <= found["faults"]
    if found["faults"]:
        assert found["ac1"] <= found["avg5"] <= 1
        assert found["ac1"] <= found["ac3"] <= found["detected"] / found["faults"] + 1e-6
        low, high = found["ac1_95"]
        assert low - 1e-6 <= found["ac1"] <= high + 1e-6
    if found["false_incidents_per_hour"] is not None:
        low, high = found["false_incidents_per_hour_95"]
        assert low - 1e-6 <= found["false_incidents_per_hour"] <= high + 1e-6
    for key in ("right_among_opened", "brier", "calibration_error"):
        assert found[key] is None or 0 <= found[key] <= 1


@given(worlds(), st.permutations(SERVICES))
def test_no_name_is_favoured(world, renamed):
    recording, incidents, labels, ignored = world
    new = dict(zip(SERVICES, renamed, strict=True))

    def again(incident):
        revisions = tuple(
            Revision(
                r.published_ms,
                r.confidence,
                r.abstained,
                tuple(Cause(new[c.service], c.role, c.change_id, c.kind, c.confidence) for c in r.ranked),
            )
            for r in incident.revisions
        )
        return Published(*(getattr(incident, name) for name in Published.__slots__[:-1]), revisions)

    named = [Label(label.fault_id, label.start_ms, label.end_ms, new[label.root_service]) for label in labels]
    before = figures([scored(recording, incidents, labels, ignored)[1]])
    after = figures([scored(recording, [again(i) for i in incidents], named, ignored)[1]])
    assert after == before


@given(st.lists(worlds(), min_size=1, max_size=3))
def test_counts_over_recordings_add_up(found):
    parts = [scored(*world)[1] for world in found]
    total, single = figures(parts), [figures([part]) for part in parts]
    for key in (
        "faults",
        "detected",
        "opened",
        "false_incidents",
        "opened_in_ignored",
        "abstained",
        "candidates",
    ):
        assert total[key] == sum(one[key] for one in single)
    assert total["fault_free_hours"] == pytest.approx(
        sum(one["fault_free_hours"] for one in single), abs=1e-4
    )
