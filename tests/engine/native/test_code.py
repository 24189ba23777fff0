"""Machine code of the native way: no fused instruction, its own mode, and where it is missing."""

from __future__ import annotations

import ctypes
import gc
import platform
import re
import sys

import numpy as np
import pytest
import torch

from gdexp.core import BadInput
from gdexp.engine.native import NativeEngine, assembly, available, generate
from gdexp.engine.native.compiler import binding
from gdexp.engine.rows import Block, Rows
from tests.engine.native import oracle, plans

FUSED = re.compile(r"\b(v?fn?m(add|sub)\w*|fml[as]\w*|fn?m(add|sub))\b", re.IGNORECASE)
TRIPLES = {"x86_64": "x86_64-unknown-linux-gnu", "aarch64": "aarch64-unknown-linux-gnu"}
UPWARD = {"x86_64": 0x800, "AMD64": 0x800, "aarch64": 0x400000, "arm64": 0x400000}


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("architecture", TRIPLES)
def test_no_instruction_is_fused(architecture: str, dtype: str) -> None:
    here = {"AMD64": "x86_64", "arm64": "aarch64"}.get(platform.machine(), platform.machine())
    cpu = "host" if architecture == here else "baseline"
    for plan, form in (
        (plans.gd_plan(dtype, (9,), plans.matrix(9)), "unrolled"),
        (plans.gd_plan(dtype, (12,), plans.gathers(12)), "loops"),
    ):
        text = assembly(generate(plan, architecture, form).text, TRIPLES[architecture], cpu)
        assert FUSED.findall(text) == []
        assert re.search(r"\b(v?muls[sd]|v?mulp[sd]|fmul)\b", text)
    assert re.search(r"\b(v?sqrt[sp][sd]|fsqrt)\b", text)
    assert not re.search(r"\bcallq?\s+\*?sqrt|\bbl\s+sqrt", text)


def test_the_search_for_fused_instructions_finds_them() -> None:
    text = """
    define double @advance(double %a, double %b, double %c) {
      %p = fmul contract double %a, %b
      %s = fadd contract double %p, %c
      ret double %s
    }"""
    assert FUSED.findall(assembly(text, TRIPLES["aarch64"], "baseline"))


@pytest.mark.parametrize("threads", [1, 2])
def test_subnormals_are_kept_where_the_caller_flushes_them(threads: int) -> None:
    plan = plans.gd_plan("float32", (9,), plans.quadratic(9))
    x = np.random.default_rng(1).normal(size=(3, 9)) * 1e-19
    lr = np.full((1, 1, 1), 0.3, np.float32)
    wanted, losses = Rows.begin(plan, x), np.zeros((3, 31))
    oracle.advance(plan, wanted, Block(30, lr, trace=losses))
    assert ((losses > 0) & (losses < 1.1e-38)).any()
    rows, trace = Rows.begin(plan, x), np.zeros((3, 31))
    engine = NativeEngine(plan, threads=threads)
    assert torch.set_flush_denormal(True)
    try:
        engine.advance(rows, Block(30, lr, trace=trace))
        assert float(torch.tensor([1e-39]) * 1.0) == 0.0
    finally:
        torch.set_flush_denormal(False)
    assert trace.tobytes() == losses.tobytes()
    assert oracle.differences(rows, wanted) == []


def test_rounding_is_to_nearest_and_the_caller_s_comes_back() -> None:
    plan = plans.gd_plan("float64", (9,), plans.quadratic(9))
    x, lr = np.random.default_rng(1).normal(size=(1, 9)), np.full((1, 1, 1), 0.3)
    wanted, rows = Rows.begin(plan, x), Rows.begin(plan, x)
    oracle.advance(plan, wanted, Block(30, lr))
    engine, libm = NativeEngine(plan), ctypes.CDLL(None)
    upward = UPWARD[platform.machine()]
    assert libm.fesetround(upward) == 0
    try:
        engine.advance(rows, Block(30, lr))
        mode = libm.fegetround()
    finally:
        libm.fesetround(0)
    assert mode == upward
    assert oracle.differences(rows, wanted) == []


@pytest.mark.slow
def test_code_lives_as_long_as_its_engine() -> None:
    plan = plans.gd_plan("float32", (9,), plans.matrix(9))
    engines = [NativeEngine(plan) for _ in range(3)]
    last = engines.pop()
    del engines
    gc.collect()
    rows = Rows.begin(plan, np.zeros((1, 9)))
    last.advance(rows, Block(10, np.ones((1, 1, 1), np.float32)))
    assert rows.k[0] == 11


def test_a_machine_without_llvmlite_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    assert available() is None
    binding.cache_clear()
    monkeypatch.setitem(sys.modules, "llvmlite", None)
    monkeypatch.setitem(sys.modules, "llvmlite.binding", None)
    try:
        reason = available()
    finally:
        binding.cache_clear()
    assert reason is not None
    assert "llvmlite" in reason
    assert "\n" not in reason


def test_unknown_processors_and_thread_counts_are_refused() -> None:
    plan = plans.gd_plan("float32", (9,), plans.matrix(9))
    with pytest.raises(BadInput, match="host, baseline"):
        NativeEngine(plan, cpu="fast")
    with pytest.raises(BadInput, match="at least 1"):
        NativeEngine(plan, threads=0)
