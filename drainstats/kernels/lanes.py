"""Eight numbers side by side as one value: a type that kernels can add, multiply and keep in registers."""

from __future__ import annotations

import operator
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.core.typing import signature as typing_signature
from numba.core.typing.templates import ConcreteTemplate, infer_global
from numba.extending import intrinsic, lower_builtin, models, register_model

LANES = 8


class Lanes(types.Type):  # type: ignore[misc]
    """A vector of eight float64."""

    def __init__(self) -> None:
        super().__init__(name="Lanes")


lanes = Lanes()
VECTOR = ir.VectorType(ir.DoubleType(), LANES)


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, VECTOR)


def _pointer(context: Any, builder: Any, kind: Any, array: Any, place: Any) -> Any:
    data = context.make_array(kind)(context, builder, array).data
    return builder.gep(builder.bitcast(data, VECTOR.as_pointer()), [place])


@intrinsic
def load(typing_context: Any, array: Any, place: Any) -> Any:
    """Entry ``place`` of a contiguous vector whose entries are eight numbers wide."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load(_pointer(context, builder, signature.args[0], *args), align=8)

    return lanes(array, types.intp), generate


@intrinsic
def store(typing_context: Any, array: Any, place: Any, value: Any) -> Any:
    """Write entry ``place`` of a contiguous vector whose entries are eight numbers wide."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store(args[2], _pointer(context, builder, signature.args[0], *args[:2]), align=8)
        return context.get_dummy_value()

    return types.void(array, types.intp, lanes), generate


@intrinsic
def spread(typing_context: Any, number: Any) -> Any:
    """The same number eight times."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        first = builder.insert_element(ir.Constant(VECTOR, ir.Undefined), args[0], ir.Constant(ir.IntType(32), 0))
        mask = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        return builder.shuffle_vector(first, ir.Constant(VECTOR, ir.Undefined), mask)

    return lanes(types.float64), generate


@intrinsic
def add_product(typing_context: Any, total: Any, left: Any, right: Any) -> Any:
    """total + left * right, in one rounding where the processor has an instruction for it."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(VECTOR, [VECTOR] * 3)
        function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fmuladd.v{LANES}f64")
        return builder.call(function, [args[1], args[2], args[0]])

    return lanes(lanes, lanes, lanes), generate


@intrinsic
def root(typing_context: Any, value: Any) -> Any:
    """Square roots, NaN below zero."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(VECTOR, [VECTOR])
        function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.sqrt.v{LANES}f64")
        return builder.call(function, args)

    return lanes(lanes), generate


def _between(symbol: Any, name: str) -> None:
    """Let two lanes meet at an operator."""

    @infer_global(symbol)
    class _Typed(ConcreteTemplate):  # type: ignore[misc]
        cases = (typing_signature(lanes, lanes, lanes),)

    @lower_builtin(symbol, lanes, lanes)
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return getattr(builder, name)(*args)


_between(operator.add, "fadd")
_between(operator.sub, "fsub")
_between(operator.mul, "fmul")
_between(operator.truediv, "fdiv")
