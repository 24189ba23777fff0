"""The native way: descents of a plan advanced by compiled code, rows split over threads."""

from __future__ import annotations

import math
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields

import numpy as np

from gdexp.core import BadInput, submit_in_context
from gdexp.engine.native.compiler import (
    CPUS,
    MachineCode,
    architecture,
    binding,
    compile_text,
)
from gdexp.engine.native.memory import ALIGNMENT
from gdexp.engine.native.module import Code, generate
from gdexp.engine.native.table import ARRAYS, MORE, PLACE
from gdexp.engine.operations import Kind
from gdexp.engine.plan import Plan
from gdexp.engine.program import DTYPES, Array
from gdexp.engine.rows import Block, Rows
from gdexp.engine.rows import Code as RowCode

PARTS = 8
"""Into how many parts for each thread the rows are split: they end at different iterations."""

_RUNNING, _BELOW = int(RowCode.RUNNING), int(RowCode.BELOW)


@dataclass(frozen=True)
class Compiled:
    """A plan's machine code with what it needs.

    Attributes:
        machine: the function.
        code: what it was made from.
        constants: aligned bytes that it reads.
    """

    machine: MachineCode
    code: Code
    constants: Array


@dataclass
class CompiledPlans:
    """Compiled plans by what decides their code; engines that share it compile a plan once."""

    known: dict[tuple[str, str, str | None, bool], Compiled] = field(default_factory=dict)

    def get(self, plan: Plan, cpu: str, form: str | None = None, optimise: bool = True) -> Compiled:
        """Return a plan's code, compiled if it is new.

        Args:
            plan: of the descents.
            cpu: host or baseline.
            form: unrolled or loops; None chooses.
            optimise: whether the code is made faster.
        """
        key = (plan.sha256, cpu, form, optimise)
        if key not in self.known:
            code = generate(plan, architecture(binding().get_process_triple()), form)
            constants = aligned(len(code.constants))
            constants[:] = np.frombuffer(code.constants, np.uint8)
            self.known[key] = Compiled(compile_text(code.text, cpu, optimise), code, constants)
        return self.known[key]


class NativeEngine:
    """Advances descents of one plan; one call at a time.

    Args:
        plan: of the descents.
        cpu: host, or baseline for code that any processor of the kind runs. The bits are the same.
        threads: the most threads that share the rows.
        form: unrolled or loops; None chooses by the plan's size. The bits are the same.
        compiled: shares code with other engines.
        optimise: whether the code is made faster, which takes longer. The bits are the same.

    Raises:
        BadInput: native code cannot be made here, or an argument is not allowed.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        cpu: str = "host",
        threads: int = 1,
        form: str | None = None,
        compiled: CompiledPlans | None = None,
        optimise: bool = True,
    ) -> None:
        if cpu not in CPUS:
            raise BadInput("cpu", cpu, f"must be one of {', '.join(CPUS)}")
        if threads < 1:
            raise BadInput("threads", threads, "must be at least 1")
        self.plan, self.threads = plan, threads
        shared = compiled if compiled is not None else CompiledPlans()
        self._compiled = shared.get(plan, cpu, form, optimise)
        self._scratch: list[Array] = []
        self._pool: ThreadPoolExecutor | None = None
        self._process = 0
        self._fields = _fields(plan)

    @property
    def form(self) -> str:
        """Unrolled or loops."""
        return self._compiled.code.form

    def advance(self, rows: Rows, block: Block) -> None:
        """Make the steps that `Rows` describes, for each row until it ends or passes the block.

        A row that waits as BELOW goes on where `checked` is set.

        Raises:
            ValueError: an array has another shape, type or layout than the plan's, or the block
                lacks coefficients or columns of the trace.
        """
        table = self._table(rows, block)
        count = len(rows.k)
        parts = min(self.threads * PARTS, count) if self.threads > 1 else 1
        edges = [count * i // parts for i in range(parts + 1)]
        while len(self._scratch) < min(self.threads, max(parts, 1)):
            self._scratch.append(aligned(self._compiled.code.scratch))
        if parts <= 1:
            self._call(table, 0, count, self._scratch[0])
            return
        if self._pool is None or self._process != os.getpid():
            # A forked process has none of its parent's threads.
            self._pool = ThreadPoolExecutor(self.threads, "gdexp-native")
            self._process = os.getpid()
        waiting = list(self._scratch)

        def part(i: int) -> None:
            scratch = waiting.pop()
            try:
                self._call(table, edges[i], edges[i + 1], scratch)
            finally:
                waiting.append(scratch)

        for future in [submit_in_context(self._pool, part, i) for i in range(parts)]:
            future.result()

    def _call(self, table: Array, begin: int, end: int, scratch: Array) -> None:
        if begin < end:
            call = self._compiled.machine.call
            call(table.ctypes.data, begin, end, scratch.ctypes.data)

    def _table(self, rows: Rows, block: Block) -> Array:
        """Return the addresses of all arrays and the numbers of the block, all checked."""
        plan = self.plan
        dtype = DTYPES[plan.dtype][Kind.FLOAT]
        count = len(rows.k)
        table = np.zeros(len(ARRAYS) + len(MORE), np.int64)
        for name, place, width, kind in self._fields:
            array: Array = getattr(rows, name)
            _check(name, array, (count,) if width is None else (count, width), kind)
            table[place] = _address(array)
        goes = rows.code == _RUNNING
        goes |= (rows.code == _BELOW) & (rows.checked != 0)
        goes &= rows.k <= block.until
        earliest = int(rows.k[goes].min()) if goes.any() else block.until + 1
        _put_trace(table, block, count, earliest, plan.has_norms)
        _put_coefficients(table, block, count, earliest, plan.coefficients, dtype)
        table[PLACE["constants"]] = _address(self._compiled.constants)
        table[PLACE["until"]] = block.until
        return table


def _fields(plan: Plan) -> list[tuple[str, int, int | None, np.dtype[np.generic]]]:
    """Return for each array of `Rows` its name, its place in the table, its width and type."""
    number = DTYPES[plan.dtype][Kind.FLOAT]
    n = math.prod(plan.shape)
    s = sum(math.prod(shape) for shape in plan.state_shapes)
    widths = {"x": n, "hit_x": n, "state": s, "last": n + s, "anchor": n + s}
    names = [each.name for each in fields(Rows)]
    return [(name, PLACE[name], widths.get(name), _dtype(name, number)) for name in names]


def _dtype(name: str, number: np.dtype[np.generic]) -> np.dtype[np.generic]:
    if name in ("x", "state", "last", "anchor", "hit_x"):
        return number
    if name in ("code", "checked"):
        return np.dtype(np.int32)
    counts = ("k", "anchor_k", "hit_k", "period", "evaluations", "limit", "max_iterations")
    integer = name in (*counts, "midway_at", "constant_since")
    return np.dtype(np.int64) if integer else np.dtype(np.float64)


def _check(name: str, array: Array, shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> None:
    if array.shape != shape or array.dtype != dtype or not array.flags.c_contiguous:
        found = f"{array.dtype} of shape {array.shape}"
        raise ValueError(f"rows.{name} is {found}, not a C array, {dtype} of shape {shape}")


def _put_trace(table: Array, block: Block, count: int, earliest: int, has_norms: bool) -> None:
    trace = block.trace
    if trace is None:
        return
    fits = trace.ndim == 2 and len(trace) == count and trace.dtype == np.float64
    if not fits or (trace.size and (trace.strides[1] != 8 or trace.strides[0] % 8)):
        raise ValueError(f"the trace is {trace.dtype} of shape {trace.shape}, for {count} rows")
    last = block.until - block.trace_first
    if earliest <= block.until and (earliest < block.trace_first or last >= trace.shape[1]):
        raise ValueError(f"the trace has no place for iterations {earliest} to {block.until}")
    table[PLACE["trace"]] = _address(trace)
    table[PLACE["trace_row"]] = trace.strides[0] // 8
    table[PLACE["trace_step"]] = 1
    if has_norms:
        norms = block.norms
        if norms is None or norms.shape != trace.shape or norms.strides != trace.strides:
            raise ValueError("the trace of gradient norms must be laid out as that of losses")
        table[PLACE["norms"]] = _address(norms)
        table[PLACE["norms_row"]] = norms.strides[0] // 8
    table[PLACE["trace_first"]] = block.trace_first


def _put_coefficients(
    table: Array, block: Block, count: int, earliest: int, width: int, dtype: np.dtype[np.generic]
) -> None:
    given = block.coefficients
    if width == 0:
        return
    fits = given.ndim == 3 and given.shape[0] in (1, count) and given.shape[2] == width
    size = dtype.itemsize
    if fits and given.size:
        fits = (width == 1 or given.strides[2] == size) and not any(
            stride % size for stride in given.strides
        )
    if not fits or given.dtype != dtype:
        raise ValueError(f"the coefficients are {given.dtype} of shape {given.shape}")
    times = given.shape[1]
    if times != 1 and earliest <= block.until:
        last = block.until + 1 - block.first
        if earliest + 1 < block.first or last >= times:
            updates = f"{earliest + 1} to {block.until + 1}"
            raise ValueError(f"coefficients are missing for updates {updates}")
    table[PLACE["coefficients"]] = _address(given)
    table[PLACE["coefficient_row"]] = given.strides[0] // size if len(given) > 1 else 0
    table[PLACE["coefficient_step"]] = given.strides[1] // size if times > 1 else 0
    table[PLACE["coefficient_first"]] = block.first


def _address(array: Array) -> int:
    address: int = array.__array_interface__["data"][0]
    return address


def aligned(size: int) -> Array:
    """Return an array of bytes that begins at a multiple of `ALIGNMENT`."""
    memory = np.empty(size + ALIGNMENT, np.uint8)
    start = -_address(memory) % ALIGNMENT
    return memory[start : start + size]
