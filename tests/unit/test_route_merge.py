"""Partitions are merged by time stamp, and a silent one holds up the others for a while only."""

import pytest

from streams.stages.route.merge import MAX_HELD, MAX_HELD_BYTES, MAX_WAIT_S, Merge


class Record:
    def __init__(self, ts_ms, size_bytes=100):
        self.ts_ms = ts_ms
        self.size_bytes = size_bytes

    def __len__(self):
        return self.size_bytes

    def timestamp(self):
        return 1, self.ts_ms


@pytest.fixture
def merge():
    merge = Merge()
    for partition in (0, 1):
        merge.add(partition, 0.0)
    return merge


def put(merge, partition, *stamps):
    for ts_ms in stamps:
        merge.put(partition, Record(ts_ms), 0.0)


def due(merge, now_s=0.0):
    return [(partition, record.ts_ms) for partition, record in merge.due(now_s)]


def test_the_oldest_goes_first_and_each_partition_keeps_its_own_order(merge):
    put(merge, 0, 10, 40, 20)
    put(merge, 1, 15, 30)
    merge.reached_end(0)
    merge.reached_end(1)
    assert due(merge) == [(0, 10), (1, 15), (1, 30), (0, 40), (0, 20)]


def test_nothing_goes_while_another_partition_may_bring_an_older_one(merge):
    put(merge, 0, 10, 20)
    assert due(merge) == []
    put(merge, 1, 15)
    assert due(merge) == [(0, 10), (1, 15)]


def test_a_partition_that_says_nothing_at_all_is_waited_for_a_while_only(merge):
    put(merge, 0, 10)
    assert due(merge, MAX_WAIT_S - 0.1) == []
    assert due(merge, MAX_WAIT_S) == [(0, 10)]


def test_a_partition_that_was_paused_for_long_is_waited_for_from_when_nothing_is_held_of_it(merge):
    put(merge, 0, 10, 20)  # then paused, and silent because of that
    put(merge, 1, 15, 30)
    assert due(merge, 1000.0) == [(0, 10), (1, 15), (0, 20)]
    assert due(merge, 1000.0 + MAX_WAIT_S - 0.1) == []
    merge.put(0, Record(25), 1000.0 + MAX_WAIT_S - 0.1)
    assert due(merge, 1000.0 + MAX_WAIT_S - 0.1) == [(0, 25)]


def test_what_is_held_of_a_partition_that_was_given_away_is_forgotten(merge):
    put(merge, 0, 10)
    put(merge, 1, 5)
    merge.drop(1)
    merge.put(1, Record(6), 0.0)
    merge.reached_end(0)
    assert due(merge) == [(0, 10)]


def test_the_end_of_a_partition_that_was_given_away_is_not_known_when_it_comes_back(merge):
    merge.drop(1)
    merge.reached_end(1)
    merge.add(1, 0.0)
    put(merge, 0, 10)
    assert due(merge) == []


def test_a_partition_of_few_large_records_is_paused_too(merge):
    size_bytes = MAX_HELD_BYTES // 4
    for ts_ms in range(4):
        assert not merge.is_full(0)
        merge.put(0, Record(ts_ms, size_bytes), 0.0)
    assert merge.is_full(0)
    put(merge, 1, 1)
    due(merge)
    assert merge.has_room(0)


def test_a_partition_that_is_far_ahead_is_paused_until_half_of_it_is_gone(merge):
    put(merge, 0, *range(MAX_HELD))
    assert merge.is_full(0)
    assert not merge.is_full(1)
    put(merge, 1, *range(MAX_HELD // 2))
    due(merge)
    assert merge.has_room(0)
