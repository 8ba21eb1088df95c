"""Event time on one unit's partitions."""

import pytest

from streams.stages.detect.watermark import Watermark

A, B = ("metrics", 0), ("logs", 0)


@pytest.fixture
def mark():
    return Watermark([A, B], lateness_ms=5_000, idle_s=10)


def test_it_waits_for_partitions_that_are_not_read_yet(mark):
    mark.saw(A, 100_000)
    assert mark.advance(0) is None


def test_a_partition_that_has_never_given_anything_holds_nothing_back(mark):
    mark.saw(A, 100_000)
    mark.reached_end(B, 0)
    assert mark.advance(0) == 94_999


def test_the_slowest_partition_decides(mark):
    mark.saw(A, 100_000)
    mark.saw(B, 60_000)
    assert mark.advance(0) == 54_999


def test_a_silent_partition_holds_back_until_it_is_idle(mark):
    mark.saw(A, 60_000)
    mark.saw(B, 60_000)
    mark.reached_end(B, 0)
    mark.saw(A, 120_000)
    assert mark.advance(9.9) == 54_999
    assert mark.advance(10) == 114_999


def test_unread_records_are_no_silence(mark):
    mark.saw(A, 60_000)
    mark.saw(B, 60_000)
    mark.saw(A, 120_000)
    assert mark.advance(1_000) == 54_999


def test_when_all_are_silent_event_time_goes_on_with_the_clock(mark):
    mark.saw(A, 100_000)
    mark.saw(B, 90_000)
    mark.reached_end(A, 0)
    mark.reached_end(B, 5)
    assert mark.advance(15) == 94_999
    assert mark.advance(45) == 124_999


def test_it_never_goes_back(mark):
    mark.saw(A, 100_000)
    mark.saw(B, 100_000)
    mark.reached_end(A, 0)
    mark.reached_end(B, 0)
    assert mark.advance(60) == 144_999
    mark.saw(A, 101_000)
    assert mark.advance(60) == 144_999


def test_a_restored_one_goes_on_where_it_stood(mark):
    mark.saw(A, 100_000)
    mark.saw(B, 90_000)
    mark.advance(0)
    other = Watermark([A, B], lateness_ms=5_000, idle_s=10)
    other.restore(mark.dump())
    assert other.advance(0) == 84_999
    assert other.high_ms(A) == 100_000


def test_a_lead_is_known_before_there_is_a_watermark(mark):
    assert mark.ahead_ms(A) == 0
    mark.saw(A, 100_000)
    mark.saw(A, 900_000)
    assert (mark.advance(0), mark.ahead_ms(A), mark.ahead_ms(B)) == (None, 800_000, 0)
    mark.saw(B, 40_000)
    mark.advance(0)
    assert (mark.ahead_ms(A), mark.ahead_ms(B)) == (865_001, 5_001)


def test_samples_on_a_sparse_partition_are_judged_and_hold_nobody_back():
    stray = ("cdevents", 0)
    watermark = Watermark([A], lateness_ms=5_000, idle_s=10.0)
    watermark.saw(A, 100_000)
    watermark.saw(stray, 20_000)
    assert watermark.high_ms(stray) == 20_000
    assert watermark.advance(0.0) == 94_999
    again = Watermark([A], lateness_ms=5_000, idle_s=10.0)
    again.restore(watermark.dump())
    assert again.high_ms(stray) == 20_000
