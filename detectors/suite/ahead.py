"""Asks for the records of series before their turn comes, as `detectors.ahead` does for the fleet's rows."""

from __future__ import annotations

from typing import Any

from detectors.ahead import LINE, touch
from detectors.compiled import inlined
from detectors.suite.record import SUITE

FAR = 4
"""Records ahead."""
_FIELDS: Any = SUITE.fields
STRETCH = int(_FIELDS["week_visits"][1])
"""Bytes that an ordinary sample touches somewhere; the hours of the week lie behind, and few ask for them."""


@inlined
def ask_for(rows: Any, number: Any, i: int) -> None:
    """Ask for the record that comes `FAR` after the i-th of those that `number` lists. Changes nothing."""
    far = rows[number[min(i + FAR, len(number) - 1)]]
    for at in range(0, STRETCH, LINE):
        touch(far, at)
