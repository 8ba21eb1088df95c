"""The catalog gives numbers as a dictionary would that never forgets a number."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.catalog import Catalog
from detectors.naming import packed, spoken
from detectors.telemetry import Series

ACTIONS = st.lists(st.tuples(st.sampled_from(["intern", "look", "retire", "restore"]), st.integers(0, 400)))


def name(which: int) -> Series:
    return Series(f"service-{which % 7}", f"metric-{which}")


@given(known=st.integers(0, 300), actions=ACTIONS)
def test_series_keep_their_numbers_and_retired_ones_get_new_ones(known, actions):
    catalog, expected, given_out = Catalog(), {}, 0

    def intern(which):
        nonlocal given_out
        if which not in expected:
            expected[which] = given_out
            given_out += 1
        assert catalog.intern(name(which)) == expected[which]

    for which in range(known):
        intern(which)
    for what, which in actions:
        if what == "intern":
            intern(which)
        elif what == "retire" and which in expected:
            number = expected.pop(which)
            catalog.retire([number, number])
            assert number not in catalog
            with pytest.raises(KeyError):
                catalog[number]
        elif what == "restore":
            (words, numbers), catalog = packed([], catalog), Catalog()
            catalog.restore(spoken(words), numbers)
        assert catalog.number_of(name(which)) == expected.get(which)
        assert (catalog.living, len(catalog)) == (len(expected), given_out)
    assert [catalog[number] for number in expected.values()] == [name(which) for which in expected]
