"""Asks for the memory of rows before their turn comes: each is eight lines of cache that nobody has seen."""

from __future__ import annotations

from typing import Any

from numba.core import types
from numba.core.cgutils import int32_t, ir, voidptr_t
from numba.extending import intrinsic

from detectors.compiled import inlined, signed
from detectors.rows import Row, offset_of

LINE = 64

_OWN, _TRAIL, _TRAIL_TS = map(offset_of, ("own", "trail", "trail_ts"))


def _prefetch(builder: Any, place: Any) -> None:
    kind = ir.FunctionType(ir.VoidType(), [voidptr_t, int32_t, int32_t, int32_t])
    prefetch = builder.module.declare_intrinsic("llvm.prefetch", [voidptr_t], kind)
    # For reading, to be kept in all levels, data.
    builder.call(prefetch, [place, *(int32_t(each) for each in (0, 3, 1))])


@intrinsic  # type: ignore[untyped-decorator]
def touch(_typing: Any, row: Any, offset: Any) -> Any:
    """Ask for the line of cache at an offset in a row; reading beyond memory is no fault."""

    def generate(context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        _prefetch(builder, builder.gep(builder.bitcast(args[0], voidptr_t), [args[1]]))
        return context.get_dummy_value()

    return types.void(row, types.intp), generate


@intrinsic  # type: ignore[untyped-decorator]
def touch_place(_typing: Any, table: Any, at: Any) -> Any:
    """Ask for the line of cache of the place of a table, counted along all its axes."""

    def generate(context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        data = context.make_array(table)(context, builder, args[0]).data
        _prefetch(builder, builder.bitcast(builder.gep(data, [args[1]]), voidptr_t))
        return context.get_dummy_value()

    return types.void(table, types.intp), generate


@inlined
def ask_for_stretch(row: Row) -> None:
    """Ask for what every sample of a row touches. Changes nothing."""
    for at in range(0, _OWN, LINE):
        touch(row, at)
    touch(row, _OWN - 1)


@inlined
def ask_for_heads(row: Row) -> None:
    """Ask for what the heads of a row point to, elsewhere in it. Changes nothing."""
    touch(row, _OWN + 6 * signed(row.own_head) // 8)
    touch(row, _TRAIL + 4 * signed(row.trail_head))
    touch(row, _TRAIL_TS + 4 * signed(row.trail_head))
