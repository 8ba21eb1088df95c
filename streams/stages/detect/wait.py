"""What the steps of a checkpoint wait for, told to whoever takes them: the loop goes on reading meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Wait(NamedTuple):
    """One wait. It is asked about from time to time and may raise what makes waiting pointless."""

    what: str
    """What has to be confirmed, in words, for the error when it is not."""
    is_over: Callable[[], bool]


NEXT_TURN = Wait("the next turn", lambda: True)
"""Nothing to wait for, but enough done for one turn of the loop."""
