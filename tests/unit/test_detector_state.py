"""The bytes of a detector: in parts, of the version before, and the names in them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors import Detector, DetectorConfig, Kind, SampleBatch, Series
from detectors.former import FORMER, brought
from detectors.naming import packed, unpacked
from detectors.rows import ROW, allocate
from detectors.state import pack, unpack
from detectors.tail import learn_week

MINUTE = 60_000
WORDS = st.sampled_from(["", "a", "b", "ü,=", "kind"])
SERIES = st.builds(
    Series,
    *(WORDS, WORDS, st.none() | WORDS, st.none() | WORDS, st.none() | WORDS),
    st.sampled_from(Kind),
    st.none() | WORDS,
    WORDS,
)


def fleet(minutes, services=3, **config):
    """Two instances of each service, so that there are rows that no producer knows."""
    detector = Detector("shop", DetectorConfig(**config))
    feed(detector, 0, minutes, services)
    return detector


def feed(detector, first, minutes, services=3):
    for minute in range(first, first + minutes):
        names = [
            Series(f"service-{minute // 40}-{k}", "cpu", f"pod-{pod}", unit="%")
            for k in range(services)
            for pod in range(2)
        ]
        numbers = np.array([detector.catalog.intern(each) for each in names], np.int32)
        ts_ms = np.full(len(names), (minute + 1) * MINUTE)
        value = 20.0 + (minute * 7 + np.arange(len(names))) % 5 + 40 * (minute % 40 > 35)
        detector.observe(SampleBatch(ts_ms, numbers, value))
        detector.advance((minute + 1) * MINUTE)


def cut(state, size):
    return [state[at : at + size] for at in range(0, len(state), size)]


@pytest.mark.parametrize("size", [5, 777, 10_000])
def test_a_state_in_parts_is_read_like_a_whole_one_and_leaves_nothing(size):
    state = fleet(70).dump()
    parts = cut(state, size)
    assert Detector.load(parts).dump() == state
    assert parts == []


def test_pieces_of_a_state_can_be_read_without_joining_them():
    detector = fleet(70)
    assert Detector.load(detector.dump_pieces()).dump() == detector.dump()


def test_a_part_that_is_missing_or_damaged_is_noticed():
    state = fleet(10).dump()
    for parts in (cut(state, 500)[:-1], [*cut(state, 500)[:-1], bytes(len(cut(state, 500)[-1]))]):
        with pytest.raises(ValueError, match="damaged"):
            Detector.load(parts)


@pytest.mark.parametrize("max_series", [1_000_000, 13])
def test_a_restored_detector_gives_rows_to_newcomers_as_the_first_would_have(max_series):
    first = fleet(70, max_series=max_series)
    second = Detector.load(first.dump())
    for detector in (first, second):
        feed(detector, 70, 60)
    assert first.evicted == second.evicted
    assert (first.evicted > 0) == (max_series == 13)
    assert second.dump() == first.dump()


def in_the_former_layout(rows):
    """Rows as versions before 5 wrote them: in another order, and nothing noted of the habit."""
    former = np.zeros(rows.nbytes // FORMER.itemsize, FORMER)
    for name in FORMER.names:
        if name != "spare":
            former[name] = rows.view(ROW)[name]
    return former.view(np.uint8)


def test_a_state_with_rows_in_the_former_layout_is_read_as_if_it_had_been_kept_in_this_one():
    detector = fleet(70)
    header, arrays = unpack(detector.dump())
    arrays["rows"] = in_the_former_layout(arrays["rows"])
    old = bytearray(pack(header, arrays))
    old[4] = 4
    assert Detector.load(bytes(old)).dump() == detector.dump()


def test_rows_of_the_former_layout_know_what_this_hour_brought_on_both_days_before():
    rows = allocate(3)
    for row, level in zip(rows, (0, 150, 200), strict=True):
        for hour in range(480_000, 480_049):
            learn_week(row, level if hour % 24 == 0 else 0, hour * 60 * MINUTE)
    assert rows["habit"].tolist() == [0, 7, 15]
    former = in_the_former_layout(rows.view(np.uint8)).view(FORMER)
    assert brought(former).tobytes() == rows.tobytes()


def test_a_state_of_the_first_readable_version_is_read():
    detector = fleet(70)
    header, arrays = unpack(detector.dump())
    names, of_row = arrays.pop("names"), arrays.pop("series").tolist()
    spelled = [each and list(each) for each in unpacked(header.pop("words"), names)]
    known = header["catalog"]
    header["catalog"] = spelled[:known]
    header["rows"] = [None if each < 0 else each if each < known else spelled[each] for each in of_row]
    del arrays["pools.seen"], arrays["pools.reading"]  # since version 4
    arrays["rows"] = in_the_former_layout(arrays["rows"])  # since version 5
    old = bytearray(pack(header, arrays))
    old[4] = 2
    assert Detector.load(bytes(old)).dump() == detector.dump()


@given(st.lists(st.none() | SERIES, max_size=40))
def test_names_read_back_as_they_were_written(series):
    assert unpacked(*packed(series)) == series
    assert packed(unpacked(*packed(series)))[0] == packed(series)[0]


@pytest.mark.parametrize(("words", "bytes_each"), [(2**15 - 1, 2), (2**15, 4)])
def test_numbers_of_words_are_as_wide_as_there_are_words(words, bytes_each):
    series = [Series("cart", f"metric-{number}") for number in range(words)]
    found = packed(series)
    assert found[1].itemsize == bytes_each
    assert unpacked(*found) == series
