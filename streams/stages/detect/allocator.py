"""What the C library does with large blocks: without a word it keeps them."""

from __future__ import annotations

import ctypes

LARGE_BYTES = 1 << 20
ARENAS = 2
"""One for the loop and one for the Kafka client's threads, which else get up to eight a core."""
_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8
"""Names of mallopt(3) in glibc's malloc.h."""


def give_back_large_blocks() -> bool:
    """Map each large block by itself, so that it is gone when freed; False where that is not known.

    glibc starts like that, and raises the threshold up to 32 MB whenever a larger block is freed: after the
    first tick of a million series columns of 8 MB lie between small objects that stay, and the process never
    shrinks. Of all threads: call it before they start.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return False  # musl, macOS, Windows: they have allocators of their own
    return bool(mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES)) and bool(mallopt(_M_ARENA_MAX, ARENAS))
