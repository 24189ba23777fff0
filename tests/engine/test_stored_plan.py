"""Plans as data: read back they compute the same bits, and what is no plan is refused."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gdexp.engine.interpreted import InterpretedEngine
from gdexp.engine.native import NativeEngine, available
from gdexp.engine.plan import Plan
from gdexp.engine.rows import Block, Rows
from gdexp.engine.stored_plan import MOST_STORED, StoredPlan
from tests.engine.plans import descent, heavy_ball

ODD = [float("nan"), -0.0, float("inf"), -float("inf"), 1e-310, 1e-45, 1.0, 2.0, 1e300]
"""Constants: NaN, a negative zero, infinities and numbers that are subnormal in one dtype."""


def stored(plan: Plan, **other: Any) -> StoredPlan:
    fields = {"rule": "gd", "choices": (None,) * plan.coefficients, "numerics": 1, **other}
    return StoredPlan(plan, **fields)


def read_back(plan: StoredPlan) -> StoredPlan:
    return StoredPlan.unpack(plan.packed, plan.sha256)


def descended(engine: Any, numbers: list[float]) -> bytes:
    """The losses and the last x of five iterations from a start with odd numbers too."""
    shape = engine.plan.shape
    x = np.linspace(-1, 2, num=int(np.prod(shape))).reshape(1, *shape).astype(engine.plan.dtype)
    rows = Rows.begin(engine.plan, x)
    rows.threshold[:] = rows.goal[:] = -1.0
    rows.limit[:] = rows.max_iterations[:] = 5
    table = np.array(numbers, dtype=engine.plan.dtype).reshape(1, 1, -1)
    trace = np.zeros((1, 6))
    engine.advance(rows, Block(5, table, 1, trace, 0))
    return trace.tobytes() + rows.x.tobytes()


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("make", [descent, heavy_ball])
def test_a_plan_that_was_read_computes_the_same_bits(
    make: Callable[[str], Plan], dtype: str
) -> None:
    plan = make(dtype)
    again = read_back(stored(plan, rule="momentum", numerics=7, choices=(None, True)))
    assert (again.rule, again.numerics, again.choices) == ("momentum", 7, (None, True))
    assert again.plan.sha256 == plan.sha256
    assert again.plan.coefficients == plan.coefficients
    numbers = [0.5, 0.25][: plan.coefficients]
    kinds: list[Any] = [InterpretedEngine]
    if available() is None:
        kinds.append(NativeEngine)
    for kind in kinds:
        assert descended(kind(again.plan), numbers) == descended(kind(plan), numbers)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_constants_keep_every_bit(dtype: str) -> None:
    with np.errstate(over="ignore"):
        target = np.array(ODD, dtype=dtype).reshape(3, 3)
    plan = descent(dtype, target)
    again = read_back(stored(plan)).plan
    for own, read in zip(plan.evaluate.constants, again.evaluate.constants, strict=True):
        assert (own.dtype, own.shape, own.tobytes()) == (read.dtype, read.shape, read.tobytes())
    bits = [constant.tobytes() for constant in again.evaluate.constants]
    assert target.tobytes() in bits
    assert descended(InterpretedEngine(again), [0.5]) == descended(InterpretedEngine(plan), [0.5])


def test_the_loss_in_float64_is_kept_and_changes_the_sha256() -> None:
    alone = stored(descent("float32"))
    both = replace(alone, double=descent("float64").evaluate)
    double = read_back(both).double
    assert double is not None
    assert double.sha256 == descent("float64").evaluate.sha256
    assert both.sha256 != alone.sha256
    assert read_back(alone).double is None


Change = Callable[[dict[str, Any], dict[str, Any]], object]

ALTERED: dict[str, tuple[Change, str]] = {
    "format": (lambda head, _: head.update(format=2), "format 2"),
    "coefficients": (lambda head, _: head.update(coefficients=65), "65 coefficients"),
    "one more": (lambda head, _: head["programs"].append(["other", 0]), "no program"),
    "no list": (lambda head, _: head.update(programs=None), "no program"),
    "a text": (lambda head, _: head.update(coefficients="1"), "header is odd"),
    "an operation": (lambda _, own: own["nodes"][1].__setitem__(0, "exec"), "no such operation"),
    "a later input": (lambda _, own: own["nodes"][2].__setitem__(1, [0, 9]), "come before"),
    "a fraction": (lambda _, own: own["nodes"][2].__setitem__(1, [0, 0.5]), "no integer"),
    "a large size": (lambda _, own: own["nodes"][1].__setitem__(2, [2**41]), "no integer"),
    "true": (lambda _, own: own["nodes"][1].__setitem__(2, [True, 3]), "no integer"),
    "an outside view": (lambda _, own: own["nodes"][4].__setitem__(4, [5, 1]), "outside"),
    "a result": (lambda _, own: own["outputs"].update(loss=2), "results"),
    "no result": (lambda _, own: own["outputs"].pop("gradient"), "no program"),
    "a name": (lambda _, own: own["nodes"][1].__setitem__(4, "state9"), "an input"),
    "a dtype": (lambda _, own: own.update(dtype="float16"), "float16"),
}


def altered(plan: StoredPlan, change: Change) -> bytes:
    """The content with another header, or another header of its first program."""
    line, _, rest = plan.content.partition(b"\n")
    head = json.loads(line)
    own, _, constants = rest[: head["programs"][0][1]].partition(b"\n")
    others = rest[head["programs"][0][1] :]
    program = json.loads(own)
    change(head, program)
    first = json.dumps(program).encode() + b"\n" + constants
    if head["programs"]:
        head["programs"][0][1] = len(first)
    return json.dumps(head).encode() + b"\n" + first + others


@pytest.mark.parametrize("name", ALTERED)
def test_an_altered_program_is_refused_even_with_a_sha256_that_fits(name: str) -> None:
    change, said = ALTERED[name]
    content = altered(stored(descent()), change)
    sha256 = hashlib.sha256(content).hexdigest()
    with pytest.raises(ValueError, match=said):
        StoredPlan.unpack(zlib.compress(content), sha256)


@pytest.mark.slow
def test_files_that_are_no_plan_are_refused() -> None:
    plan = stored(descent())
    flipped = bytearray(plan.content)
    flipped[-1] ^= 1
    bomb = zlib.compress(bytes(MOST_STORED + 1))
    for packed, said in [
        (zlib.compress(bytes(flipped)), "is not the program of its sha256"),
        (plan.packed[:-5], "is cut off"),
        (plan.packed + b"x", "left over"),
        (b"", "is cut off"),
        (b"\x80\x04pickle", "is not compressed"),
        (bomb, "holds more than"),
        (bytes(MOST_STORED + 1), "is larger than"),
    ]:
        with pytest.raises(ValueError, match=said):
            StoredPlan.unpack(packed, plan.sha256)
    deep = b"[" * 100_000
    with pytest.raises(ValueError, match="no program"):
        StoredPlan.unpack(zlib.compress(deep), hashlib.sha256(deep).hexdigest())
