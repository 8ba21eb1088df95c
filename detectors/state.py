"""A detector's state as bytes: a magic word, a checksum, a JSON header and raw arrays. No pickles.

Pickles of one version of a library do not load in the next, and loading runs code. Bytes are equal for
equal states, so snapshots can be compared.
"""

from __future__ import annotations

import json
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAGIC = b"HWDT"
VERSION = 2
_PREFIX = len(MAGIC) + 1 + 4 + 4


def pack(header: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> bytes:
    """Serialise JSON-able `header` and `arrays`; layout: magic, version, CRC-32, header length, both."""
    return b"".join(pieces(header, arrays))


def pieces(header: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> list[bytes | memoryview]:
    """Return what `pack` joins, without a copy of the arrays: valid until one of them changes."""
    layout = [(name, array.dtype.str, list(array.shape)) for name, array in arrays.items()]
    head = json.dumps({"header": header, "arrays": layout}, separators=(",", ":"), sort_keys=True).encode()
    # An empty array has no bytes to look at.
    views = [np.ascontiguousarray(array).data.cast("B") for array in arrays.values() if array.size]
    checksum = zlib.crc32(head)
    for view in views:
        checksum = zlib.crc32(view, checksum)
    prefix = MAGIC + bytes([VERSION]) + checksum.to_bytes(4, "big") + len(head).to_bytes(4, "big")
    return [prefix, head, *views]


def unpack(state: bytes) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Read what `pack` wrote.

    Raises
    ------
    ValueError
        Not a detector's state, of another version, cut short or damaged; the message says which.
    """
    if len(state) < _PREFIX or state[:4] != MAGIC:
        raise ValueError("not a detector state: the first four bytes are not 'HWDT'")
    if state[4] != VERSION:
        raise ValueError(f"detector state of version {state[4]}; this code reads {VERSION}: start afresh")
    checksum, size = int.from_bytes(state[5:9], "big"), int.from_bytes(state[9:13], "big")
    body = memoryview(state)[_PREFIX:]
    if zlib.crc32(body) != checksum:
        raise ValueError("detector state is damaged: its checksum does not match; use an older one, or none")
    document = json.loads(bytes(body[:size]))
    arrays: dict[str, NDArray[Any]] = {}
    at = size
    for name, code, shape in document["arrays"]:
        dtype = np.dtype(code)
        length = dtype.itemsize * int(np.prod(shape, dtype=np.int64))
        arrays[name] = np.frombuffer(body[at : at + length], dtype=dtype).reshape(shape).copy()
        at += length
    return document["header"], arrays
