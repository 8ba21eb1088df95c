"""A blind run is scored by when incidents opened and whom they named, seen through a scripted engine."""

import pytest

from streams.evaluation.score import score
from streams.recording import Label
from tests.scripted import HOUR, MINUTE, START, ScriptedEngine, blind, judged, quiet, write


def test_a_fault_seen_in_time_and_rightly_named_scores_everywhere(tmp_path):
    recording = write(
        tmp_path / "r",
        quiet(600, at_302=9),
        labels=[Label("f", START + 300 * MINUTE, START + HOUR * 6, "cart")],
    )
    found = judged(recording)
    assert (found["faults"], found["detected"], found["opened"]) == (1, 1, 1)
    assert (found["ac1"], found["ac3"], found["avg5"]) == (1, 1, 1)
    assert found["final"]["ac1"] == found["told"]["ac1"] == found["right_among_opened"] == 1
    assert found["false_incidents"] == 0
    assert 120 <= found["median_delay_s"] <= 135
    assert found["confident"] == {"precision": 1, "coverage": 1, "incidents": 1}
    assert found["brier"] == pytest.approx(0.01)
    assert found["candidates"] == 1
    assert found["baselines"]["largest_deviation"]["ac1"] == 1
    assert found["baselines"]["latest_change"]["ac1"] == 0


@pytest.mark.parametrize(
    ("script", "ac1", "ac3", "avg5"),
    [
        ({"names": ("cart", "front")}, 1, 1, 1),
        ({"names": ("front", "cart")}, 0, 1, 0.8),
        ({"names": ("front", "front", "cart")}, 0, 1, 0.8),
        ({"names": ("a", "b", "c", "cart")}, 0, 0, 0.4),
        ({"names": ("front",)}, 0, 0, 0),
        ({"names": ()}, 0, 0, 0),
        ({"names": ("cart",), "abstains": True}, 0, 0, 0),
    ],
)
def test_the_ranking_decides_and_an_abstention_is_a_miss(tmp_path, script, ac1, ac3, avg5):
    recording = write(
        tmp_path / "r", quiet(400, at_302=9), labels=[Label("f", START + 300 * MINUTE, None, "cart")]
    )
    found = judged(recording, **script)
    assert found["detected"] == 1
    assert (found["ac1"], found["ac3"], found["avg5"]) == (ac1, ac3, pytest.approx(avg5))
    assert found["told"]["ac1"] == ac1
    assert found["abstained"] == int(bool(script.get("abstains")))


def test_a_fault_that_is_not_seen_is_a_miss_unless_its_start_is_told(tmp_path):
    recording = write(tmp_path / "r", quiet(400), labels=[Label("f", START + 300 * MINUTE, None, "cart")])
    found = judged(recording)
    assert (found["detected"], found["ac1"], found["told"]["ac1"]) == (0, 0, 1)
    assert found["right_among_opened"] is None
    assert found["median_delay_s"] is None


def test_incidents_without_a_fault_are_false_and_make_confidence_untrue(tmp_path):
    recording = write(
        tmp_path / "r",
        quiet(600, at_100=9, at_302=9),
        labels=[Label("f", START + 300 * MINUTE, START + 310 * MINUTE, "cart")],
    )
    found = judged(recording)
    assert (found["opened"], found["false_incidents"], found["right_among_opened"]) == (2, 1, 0.5)
    hours = (599 - 15) / 60
    assert found["fault_free_hours"] == pytest.approx(hours)
    assert found["false_incidents_per_hour"] == pytest.approx(1 / hours, abs=1e-6)
    assert found["confident"]["precision"] == 0.5
    assert found["brier"] == pytest.approx((0.1**2 + 0.9**2) / 2)
    assert found["brier_skill"] == pytest.approx(1 - 0.41 / 0.25)
    assert found["calibration_error"] == pytest.approx(0.4)


def test_nothing_at_all_has_figures_too(tmp_path):
    found = judged(write(tmp_path / "r", []))
    assert (found["faults"], found["opened"], found["fault_free_hours"]) == (0, 0, 0)
    assert found["ac1"] is None
    assert found["false_incidents_per_hour"] is None


def test_the_told_engine_has_seen_what_follows_the_fault_and_no_more(tmp_path):
    recording = write(tmp_path / "r", quiet(400), labels=[Label("f", START + 300 * MINUTE + 7, None, "cart")])
    asked = []

    class Watching(ScriptedEngine):
        def rank_at(self, start_ms):
            asked.append((self._watermark_ms, max((i.ts_ms for i in self._pending), default=0)))
            return super().rank_at(start_ms)

    score(blind(recording), engine=Watching)
    ((watermark_ms, newest_ms),) = asked
    assert watermark_ms == START + 305 * MINUTE
    assert newest_ms <= watermark_ms
