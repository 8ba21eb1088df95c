"""The card answers an on-call engineer's questions, and shows nothing that it has no content for."""

import io

import pytest
from rich.console import Console

from streams.sinks.card import Card
from tests.golden.examples import ENRICHED as ALERT


def shown(alert) -> str:
    console = Console(file=io.StringIO(), width=110, color_system=None)
    console.print(Card(alert))
    return console.file.getvalue()


def test_the_card_says_what_where_since_when_and_how_sure():
    text = shown(ALERT)
    for part in (
        ALERT.title,
        ALERT.root_cause.entity,
        f"{ALERT.confidence.probability:.2f}",
        ALERT.incident_id,
        ALERT.chain[0].target,
        ALERT.runners_up[0].entity,
    ):
        assert part in text


@pytest.mark.parametrize(
    ("field", "heading"),
    [
        ("exonerated", "Cleared"),
        ("not_checked", "Not checked"),
        ("conflicts", "Contradictions"),
        ("speaks_against", "What speaks against it"),
        ("runners_up", "Why not"),
    ],
)
def test_a_section_without_content_is_left_out(field, heading):
    assert heading in shown(ALERT.model_copy(update={field: getattr(ALERT, field) or ("something",)}))
    assert heading not in shown(ALERT.model_copy(update={field: ()}))


def test_the_heaviest_terms_are_printed_for_and_against_and_light_ones_give_way():
    weights = [0.1, 3.0, -2.0, 0.2, 1.0, 0.5, 0.9, -0.05]
    terms = tuple(
        ALERT.confidence.terms[0].model_copy(update={"name": f"t{k}", "contribution": weight})
        for k, weight in enumerate(weights)
    )
    confidence = ALERT.confidence.model_copy(update={"terms": terms})
    text = shown(ALERT.model_copy(update={"confidence": confidence}))
    printed = [word for line in text.splitlines() for word in line.split() if word[0] in "+-" and "." in word]
    assert printed == ["+3.00", "-2.00", "+1.00", "+0.90", "+0.50", "+0.20"]


def test_a_card_says_what_is_new_and_what_was_merged_into_it():
    now = {"what_changed": "the first hypothesis is now db, it was web", "supersedes": ("hw-younger",)}
    text = shown(ALERT.model_copy(update={"incident": ALERT.incident.model_copy(update=now)}))
    assert "new in this revision: the first hypothesis is now db" in text
    assert "merged into this one: hw-younger" in text


def test_an_abstention_names_no_likely_cause():
    text = shown(ALERT.model_copy(update={"verdict": "conflicting_signals", "root_cause": None}))
    assert "The signals contradict each other" in text
    assert "Likely cause" not in text


def test_an_uncalibrated_confidence_says_so():
    sure = ALERT.confidence
    assert "uncalibrated" in shown(
        ALERT.model_copy(update={"confidence": sure.model_copy(update={"calibrated": False})})
    )
    assert "uncalibrated" not in shown(
        ALERT.model_copy(update={"confidence": sure.model_copy(update={"calibrated": True})})
    )


def test_the_card_fits_a_narrow_terminal():
    console = Console(file=io.StringIO(), width=72, color_system=None)
    console.print(Card(ALERT))
    assert max(map(len, console.file.getvalue().splitlines())) <= 72
