"""Descents on the portable engine in every way that it can compute them, and their digests."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch

from benchmarks.portable_cases import Case
from gdexp import Stopping
from gdexp.descent.batch import BatchOptions, Given, Hyperparameters
from gdexp.descent.batch.hyperparameters import distinct
from gdexp.descent.portable.choice import Engine, double_loss, find_plan
from gdexp.descent.portable.many import Kind, Many
from gdexp.descent.portable.minimum import PortableMinimum
from gdexp.descent.portable.pace import Pace
from gdexp.descent.portable.single import descend_alone
from gdexp.descent.starts import starting_point
from gdexp.engine import (
    Array,
    CompiledPlans,
    InterpretedEngine,
    NativeEngine,
    Plan,
    Plans,
    Prepared,
)
from gdexp.optimizers import UpdateRule
from gdexp.problems import Problem

CPU = torch.device("cpu")


class Way(NamedTuple):
    """A way to compute a descent.

    Attributes:
        code: host, baseline or interpreted.
        threads: of native code.
        rows: of the batch that it is in; 0: it runs in the loop of single descents.
        device: where torch's single operations are computed.
    """

    code: str
    threads: int = 1
    rows: int = 0
    device: str = "cpu"

    def __str__(self) -> str:
        return f"{self.code} on {self.device}, {self.threads} threads, {self.rows} rows"


HOST = Way("host")
GPU = Way("interpreted", device="cuda")


class Bits(NamedTuple):
    """What became of a descent, as bytes."""

    trace: bytes
    final: bytes

    @property
    def digests(self) -> list[str]:
        """The sha256 of both."""
        return [hashlib.sha256(each).hexdigest() for each in self]

    def differing(self, other: Bits) -> int:
        """Return how many bits differ; all of them where the lengths do."""
        count = 0
        for ours, theirs in zip(self, other, strict=True):
            if len(ours) != len(theirs):
                count += 8 * max(len(ours), len(theirs))
            elif ours != theirs:
                a, b = (np.frombuffer(each, np.uint8) for each in (ours, theirs))
                count += int(np.unpackbits(a ^ b).sum())
        return count


class Planned:
    """A problem and a kind of rule with their plan.

    Args:
        problem: the problem.
        rule: a rule of the kind.
        dtype: float32 or float64.
    """

    def __init__(self, problem: Problem, rule: UpdateRule, dtype: str) -> None:
        self.problem, self.dtype = problem.portable_form(), getattr(torch, dtype)
        self.x = starting_point(self.problem).to(self.dtype)
        self.prepared: Prepared = find_plan(
            self.problem, rule, self.dtype, CPU, self.x, Plans()
        ).prepared
        self._compiled = CompiledPlans()

    @property
    def plan(self) -> Plan:
        """The plan."""
        return self.prepared.plan

    def engine(self, way: Way) -> Engine:
        """Return what computes descents in a way."""
        if way.code == "interpreted":
            return InterpretedEngine(self.plan, way.device)
        return NativeEngine(self.plan, cpu=way.code, threads=way.threads, compiled=self._compiled)

    def minimum(self) -> PortableMinimum:
        """Return the check of losses below the minimum."""
        return PortableMinimum(
            self.problem,
            self.plan.dtype,
            lambda: double_loss(self.prepared, self.problem, self.x),
        )


@lru_cache(maxsize=4)
def planned(case: Case) -> Planned:
    """Return the plan of a case; the last ones are kept."""
    return Planned(case.problem(), case.rule, case.dtype)


def bits(case: Case, way: Way) -> Bits:
    """Return the bits of a case, computed in a way.

    In a batch its row is in the middle; those beside it have other learning rates.
    """
    made, rows = planned(case), way.rows
    if rows == 0:
        return row_alone(made, way, case.rule, made.x.numpy(), case.stopping)
    each = [slower(case.rule, abs(i - rows // 2)) for i in range(rows)]
    starts = made.x.numpy()[None].repeat(rows, 0)
    return batch_bits(batch(made, way, each, starts, [case.stopping] * rows))[rows // 2]


def slower(rule: UpdateRule, step: int) -> UpdateRule:
    """Return the rule with another learning rate; at step 0 the rule itself."""
    if step == 0:
        return rule
    lr: float = rule.lr  # type: ignore[attr-defined]
    return replace(rule, lr=lr * (1 - 0.4 ** min(step, 9) - 1e-6 * step))  # type: ignore[call-arg]


def row_alone(made: Planned, way: Way, rule: UpdateRule, x: Array, stopping: Stopping) -> Bits:
    """Return the bits of a descent in the loop of single descents."""
    done = descend_alone(made.engine(way), rule, stopping, x, made.minimum(), Pace(100.0))
    return bits_of(np.frombuffer(done.trace, np.float64), done.final)


def batch(
    made: Planned, way: Way, rules: list[UpdateRule], x: Array, stoppings: list[Stopping]
) -> Many:
    """Descend in a batch."""
    given = Given(rules, list(stoppings), torch.from_numpy(x), distinct(rules), distinct(stoppings))
    many = Many(given, BatchOptions())
    kept = Hyperparameters(*given.own_rules)
    rows = np.arange(len(rules))
    many.run(Kind(rows, kept, made.engine(way), made.minimum(), Pace(100.0), None))
    return many


def batch_bits(many: Many) -> list[Bits]:
    """Return the bits of the rows of a batch."""
    assert many.ends is not None
    traces, final = many.traces(), many.ends.final
    return [bits_of(traces[i], final[i]) for i in range(len(final))]


def bits_of(trace: Array, final: Array) -> Bits:
    """Return a trace as doubles, and a final point, with every NaN written alike."""
    trace = trace.astype("<f8")
    trace[np.isnan(trace)] = np.nan
    final = final.astype(final.dtype.newbyteorder("<"))
    final[np.isnan(final)] = np.nan
    return Bits(trace.tobytes(), final.tobytes())
