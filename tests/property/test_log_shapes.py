"""Lines of one shape must have the same masked words: what the miner remembers by shape rests on it."""

import json
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.logs.mask import MAX_CHARS, tokens
from detectors.logs.shape import UNKNOWN, shapes_of

BENCH = Path(__file__).parents[2] / "bench"
PIECES = (
    *"abZ01x=,[](){}\"'/:.-_@+%?<>*&;!T#\\\t",
    *("23", "0x", "f00d", "abcdef12", " ", " ", "//", 'msg="', "level=", "key=", "http://", '] "', "= ["),
    *("12345678-abcd-ef00-1234-56789abcdef0", "host.prod.example.com", ": [", "<*>", "e5ms", "12ms"),
    *("a1b2c3d4", "1Z2Z34", "x9y", "q8w7", "1T2"),
)
plain = st.lists(st.sampled_from(PIECES), min_size=1, max_size=14).map("".join)
document = st.builds(
    lambda said, rest: json.dumps(rest | {"msg": said}),
    plain,
    st.dictionaries(st.sampled_from(["event", "ms", "user=", "log"]), st.integers() | plain, max_size=3),
)
line = plain | document | plain.map("{{{}".format)


def masked_by_shape(lines):
    """One line of each shape, and what it is masked to; fails on the first that disagrees."""
    known = {}
    for body, shape in zip(lines, shapes_of(lines), strict=True):
        if shape != UNKNOWN:
            first, words = known.setdefault(shape, (body, tokens(body)))
            assert tokens(body) == words, (body, first)
    return known


@settings(max_examples=150, deadline=None)
@given(st.lists(line, min_size=40, max_size=80))
def test_equal_shapes_mean_equal_masked_words(lines):
    masked_by_shape(lines)


@settings(max_examples=60, deadline=None)
@given(line, st.text("0123456789", min_size=1, max_size=12))
def test_another_number_in_its_place_keeps_the_shape(body, digits):
    one, other = shapes_of([f"took {body} after 7 s", f"took {body} after {digits} s"])
    assert one == other


def test_a_shape_stands_for_many_lines_of_real_formats():
    sys.path.insert(0, str(BENCH))
    try:
        from detect_log_corpus import FORMATS, lines
    finally:
        sys.path.remove(str(BENCH))
    for name in FORMATS:
        bodies = [body for body, _ in lines(name, 600)]
        known = masked_by_shape(bodies)
        assert len(known) < len(bodies) / 2, name


@pytest.mark.parametrize("body", ["µs", '{"msg": "µs"}', "x" * (MAX_CHARS + 1), ""])
def test_what_the_shape_cannot_tell_is_left_to_masking(body):
    assert shapes_of(["a", body, "a"])[1] == UNKNOWN
