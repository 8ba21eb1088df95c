"""Turns records into columns and back: eight numbers of eight records at a time, shuffled in registers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba.core import types
from numba.core.cgutils import ir, voidptr_t
from numba.extending import intrinsic

from detectors.compiled import compiled
from detectors.suite.block import BLOCK, FIRST, LANES, TURNED

_EIGHT = ir.VectorType(ir.FloatType(), LANES)
_BYTES = 4
_PAIRS = ([0, 8, 1, 9, 4, 12, 5, 13], [2, 10, 3, 11, 6, 14, 7, 15])
_FOURS = ([0, 1, 8, 9, 4, 5, 12, 13], [2, 3, 10, 11, 6, 7, 14, 15])
_HALVES = ([0, 1, 2, 3, 8, 9, 10, 11], [4, 5, 6, 7, 12, 13, 14, 15])
"""Shuffles that have an instruction each, since none but the last crosses the middle of a register."""


def _eight(builder: Any, base: Any, offset: int) -> Any:
    place = builder.gep(builder.bitcast(base, voidptr_t), [ir.IntType(64)(offset)])
    return builder.bitcast(place, _EIGHT.as_pointer())


def _turned(builder: Any, lines: list[Any]) -> list[Any]:
    """Return the columns of eight lines of eight; twice is what it was."""

    def shuffled(a: Any, b: Any, mask: list[int]) -> Any:
        return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(ir.IntType(32), LANES), mask))

    pairs = [shuffled(lines[k], lines[k + 1], mask) for k in (0, 2, 4, 6) for mask in _PAIRS]
    fours = [shuffled(pairs[k], pairs[k + 2], mask) for k in (0, 1, 4, 5) for mask in _FOURS]
    return [shuffled(fours[k], fours[k + 4], mask) for mask in _HALVES for k in range(4)]


def _turn(back: bool) -> Any:
    def typed(_typing: Any, rows: Any, spare: Any, number: Any, state: Any, lane: Any, left: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            rows_at, spare_at, number_at, state_at = (
                context.make_array(kind)(context, builder, each).data
                for kind, each in zip(signature.args[:4], args[:4], strict=True)
            )
            word, lane = args[4].type, args[4]

            def record(k: int) -> Any:
                at = builder.add(lane, word(k))
                ours = builder.icmp_signed("<", at, args[5])
                # Behind the last one no number may be read.
                at = builder.select(ours, at, word(0))
                place = builder.gep(rows_at, [builder.sext(builder.load(builder.gep(number_at, [at])), word)])
                return builder.select(ours, place, spare_at)

            def column(k: int) -> Any:
                return builder.gep(state_at, [builder.add(lane, word(BLOCK * k))])

            records = [record(k) for k in range(LANES)]
            for first in range(0, TURNED, LANES):
                source = [_eight(builder, each, FIRST + _BYTES * first) for each in records]
                target = [_eight(builder, column(first + k), 0) for k in range(LANES)]
                if back:
                    source, target = target, source
                lines = [builder.load(each, align=_BYTES) for each in source]
                for line, place in zip(_turned(builder, lines), target, strict=True):
                    builder.store(line, place, align=_BYTES)
            return context.get_dummy_value()

        return types.void(rows, spare, number, state, types.int64, types.int64), generate

    return typed


_to_columns: Any = intrinsic(_turn(back=False))
_to_records: Any = intrinsic(_turn(back=True))


@compiled
def to_columns(rows: np.ndarray, spare: np.ndarray, number: np.ndarray, state: np.ndarray) -> None:
    """Copy the numbers of a block's records into columns; of what is missing in the last eight, `spare`'s."""
    for lane in range(0, len(number), LANES):
        _to_columns(rows, spare, number, state, lane, len(number))


@compiled
def to_records(rows: np.ndarray, spare: np.ndarray, number: np.ndarray, state: np.ndarray) -> None:
    """Copy columns back into the records."""
    for lane in range(0, len(number), LANES):
        _to_records(rows, spare, number, state, lane, len(number))
