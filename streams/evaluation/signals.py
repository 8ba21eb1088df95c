"""Which telemetry of a recording the system under test is shown."""

from __future__ import annotations

from streams.errors import UserError
from streams.recording.folder import FILES

SIGNALS = tuple(FILES)
ALWAYS = "topology"
"""What a team declares about itself is no measurement: it is shown whatever else is withheld."""


def chosen_signals(text: str | None) -> frozenset[str]:
    """Read `metrics,edges,…`; None is everything that exists.

    Examples
    --------
    >>> sorted(chosen_signals("metrics"))
    ['metrics', 'topology']

    Raises
    ------
    UserError
        A name that is no signal.
    """
    if text is None:
        return frozenset(SIGNALS)
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in SIGNALS:
            raise UserError(f"--signals: {name!r} is no signal; choose among {', '.join(SIGNALS)}")
    if not names:
        raise UserError(f"--signals is empty; choose among {', '.join(SIGNALS)}")
    return frozenset((*names, ALWAYS))
