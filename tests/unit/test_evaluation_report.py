import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from streams.errors import UserError
from streams.evaluation.evaluate import Outcome
from streams.evaluation.matching import Fate
from streams.evaluation.report import write_report
from streams.evaluation.result import result
from streams.evaluation.score import Answer, Case, Opening, Scored
from streams.recording import Recording

HOUR = 3_600_000


def case(number, root, named):
    answer = Answer((named,), 1 if named == root else None, 0.9) if named else None
    return Case(
        recording="shop/day",
        fault_id=f"f{number}",
        fault_kind="<cpu & memory>",
        start_ms=number * HOUR,
        root_service=root,
        root_change_id=None,
        incident_id=f"hw-{number}" if named else None,
        delay_s=60.0 if named else None,
        standing=answer,
        final=answer,
        told=answer,
        baselines=dict.fromkeys(("latest_change", "earliest_anomaly", "largest_deviation", "pagerank")),
        baselines_told={
            name: Answer((), None)
            for name in ("latest_change", "earliest_anomaly", "largest_deviation", "pagerank")
        },
        known_services=5,
    )


def test_faults_that_no_telemetry_tells_are_counted_apart_and_leaving_them_open_is_right():
    cannot = [replace(case(n, "fabric", named), tellable=False) for n, named in ((3, None), (4, "cart"))]
    unsure = replace(cannot[1], standing=Answer(("cart",), None, 0.1, abstained="insufficient_evidence"))
    found = result([outcome([case(1, "cart", "cart"), case(2, "cart", "db"), *cannot, unsure])], 1.0)
    assert found["total"]["tellable"] == {
        "faults": 2,
        "ac1": 0.5,
        "told_ac1": 0.5,
        "untellable": 3,
        "untellable_left_open": 2,
        "untellable_named_surely": 1,
    }


def opening(number, confidence, right, fate=Fate.MATCHED, abstained=None):
    return Opening(
        recording="shop/day",
        incident_id=f"hw-{number}",
        opened_ms=number * HOUR + 60_000,
        onset_ms=number * HOUR,
        fate=fate,
        fault_id=None,
        first="cart",
        right=right,
        confidence=confidence,
        abstained=abstained,
        is_candidate=True,
    )


def outcome(cases=(), openings=()):
    recording = Recording(Path("day"), "shop/day", "shop", 0, 24 * HOUR, 60, (), ())
    return Outcome(recording, (), Scored("shop/day", "shop", tuple(cases), tuple(openings), 20.0), {}, 1.0)


@pytest.fixture
def found():
    cases = [case(1, "cart", "cart"), case(2, "pay", "<front>"), case(3, "db", None)]
    openings = [
        opening(1, 0.95, True),
        opening(2, 0.85, False),
        opening(9, 0.3, False, Fate.FALSE),
        opening(10, 0.2, False, Fate.FALSE, abstained="novel_pattern"),
    ]
    return result([outcome(cases, openings)], 1.0)


def test_the_page_stands_alone_and_every_plot_is_well_formed(found, tmp_path):
    write_report(tmp_path, found)
    names = sorted(file.name for file in tmp_path.iterdir())
    assert names == [
        "index.html",
        "reliability.svg",
        "result.json",
        "risk-coverage.svg",
        "timeline-shop-day.svg",
    ]
    page = (tmp_path / "index.html").read_text()
    for file in tmp_path.glob("*.svg"):
        ET.fromstring(file.read_text())  # noqa: S314
        assert file.read_text() in page
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")


def test_names_from_telemetry_are_text_and_never_markup(found, tmp_path):
    write_report(tmp_path, found)
    page = (tmp_path / "index.html").read_text()
    assert "&lt;cpu &amp; memory&gt;" in page
    assert "<front>" not in page


def test_the_same_result_is_the_same_page(found, tmp_path):
    for name in ("one", "two"):
        write_report(tmp_path / name, found)
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes()


def test_each_fault_says_what_became_of_it(found, tmp_path):
    write_report(tmp_path, found)
    text = (tmp_path / "timeline-shop-day.svg").read_text()
    assert "in cart: named cart after 60 s<" in text
    assert "named &lt;front&gt; after 60 s (wrong)" in text
    assert "in db: not detected" in text


def test_abstentions_are_never_let_in(found, tmp_path):
    write_report(tmp_path, found)
    assert "75% let in, 67% wrong" in (tmp_path / "risk-coverage.svg").read_text()
    assert "100% let in" not in (tmp_path / "risk-coverage.svg").read_text()


def test_a_quiet_recording_makes_a_page_too(tmp_path):
    write_report(tmp_path, result([outcome()], 1.0))
    assert "0 faults" in (tmp_path / "index.html").read_text()


def test_a_folder_that_cannot_be_written_is_one_line(found, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        write_report(tmp_path / "file", found)
