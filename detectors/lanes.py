"""Takes a stretch of a row as one vector or one word, where a loop over its elements is too slow."""

from __future__ import annotations

from typing import Any

from numba.core import types
from numba.core.cgutils import ir, voidptr_t
from numba.extending import intrinsic

from detectors.rows import PEAKS, ROOM, UNUSED, offset_of

_CODE, _WORD = ir.IntType(16), ir.IntType(64)
_RING, _PEAK, _PEAK_S, _PEAK_LANES = offset_of("ring"), offset_of("peak"), offset_of("peak_s"), 8
_PAIR: Any = types.UniTuple(types.int64, 2)  # type: ignore[attr-defined]


def _loaded(builder: Any, row: Any, offset: Any, kind: Any) -> Any:
    """Load what lies at a byte of a row, however it is aligned."""
    place = builder.gep(builder.bitcast(row, voidptr_t), [offset])
    found = builder.load(builder.bitcast(place, kind.as_pointer()))
    found.align = 1
    return found


def _everywhere(builder: Any, value: Any, lanes: int) -> Any:
    nothing = ir.Constant(ir.VectorType(value.type, lanes), ir.Undefined)
    first = builder.insert_element(nothing, value, ir.IntType(32)(0))
    places = ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes)
    return builder.shuffle_vector(first, nothing, places)


def _constant(kind: Any, values: list[int]) -> Any:
    return ir.Constant(ir.VectorType(kind, len(values)), values)


def _reduced(builder: Any, name: str, vector: Any) -> Any:
    kind = ir.FunctionType(_CODE, [vector.type])
    full = f"llvm.vector.reduce.{name}.v{vector.type.count}i16"
    return builder.call(builder.module.declare_intrinsic(full, (), kind), [vector])


def _counted(builder: Any, which: Any) -> Any:
    """Return in how many lanes something holds."""
    bits = ir.IntType(which.type.count)
    count = builder.module.declare_intrinsic("llvm.ctpop", [bits], ir.FunctionType(bits, [bits]))
    found = builder.call(count, [builder.bitcast(which, bits)])
    return found if bits == _WORD else builder.zext(found, _WORD)


@intrinsic  # type: ignore[untyped-decorator]
def beyond_code(_typing: Any, row: Any, here: Any, down: Any, at: Any, code: Any) -> Any:
    """Return how many codes of the ring lie above one, or with `down` below it, and the nearest of these.

    As if `code` already stood at `at`: a vector that is read where two of its bytes have just been written
    has to wait. All of the ring at once: some comparisons and steps down to one number, without a branch.
    """

    def generate(context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        place, fresh = (_everywhere(builder, builder.trunc(args[k], _CODE), ROOM) for k in (3, 4))
        ring = _loaded(builder, args[0], _WORD(_RING), ir.VectorType(_CODE, ROOM))
        written = builder.icmp_signed("==", _constant(_CODE, list(range(ROOM))), place)
        ring = builder.select(written, fresh, ring)
        # With all bits turned over, what is below lies above.
        turn = builder.sext(args[2], _CODE)
        ring = builder.xor(ring, _everywhere(builder, turn, ROOM))
        pivot = _everywhere(builder, builder.xor(builder.trunc(args[1], _CODE), turn), ROOM)
        more = builder.icmp_signed(">", ring, pivot)
        nearest = _reduced(builder, "smin", builder.select(more, ring, _constant(_CODE, [UNUSED] * ROOM)))
        nearest = builder.sext(builder.xor(nearest, turn), _WORD)
        return context.make_tuple(builder, _PAIR, [_counted(builder, more), nearest])

    return _PAIR(row, types.int64, types.boolean, types.int64, types.int64), generate


@intrinsic  # type: ignore[untyped-decorator]
def third_peak(_typing: Any, row: Any, since: Any) -> Any:
    """Return the third largest of the peaks that are not older than a second, or 0."""

    def generate(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        kind = ir.VectorType(_CODE, _PEAK_LANES)
        seconds = ir.IntType(32)
        when = _loaded(builder, args[0], _WORD(_PEAK_S), ir.VectorType(seconds, _PEAK_LANES))
        alive = builder.icmp_unsigned(
            ">=", when, _everywhere(builder, builder.trunc(args[1], seconds), _PEAK_LANES)
        )
        # Behind the peaks lies something else.
        ours = [int(k < PEAKS) for k in range(_PEAK_LANES)]
        alive = builder.and_(alive, _constant(ir.IntType(1), ours))
        none = _constant(_CODE, [0] * _PEAK_LANES)
        left = builder.select(alive, _loaded(builder, args[0], _WORD(_PEAK), kind), none)
        seen, found = _WORD(0), _CODE(0)
        for _ in range(3):
            largest = _reduced(builder, "umax", left)
            there = builder.icmp_signed("==", left, _everywhere(builder, largest, _PEAK_LANES))
            found = builder.select(builder.icmp_signed("<", seen, _WORD(3)), largest, found)
            seen = builder.add(seen, _counted(builder, there))
            left = builder.select(there, none, left)
        return builder.zext(found, _WORD)

    return types.int64(row, types.int64), generate


@intrinsic  # type: ignore[untyped-decorator]
def word_at(_typing: Any, row: Any, offset: Any) -> Any:
    """Return the eight bytes of a row from an offset on."""

    def generate(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return _loaded(builder, args[0], args[1], _WORD)

    return types.int64(row, types.int64), generate
