"""The steps of `Rows`, one row after the other, with the interpreted way: slow and plain."""

from __future__ import annotations

import copy
import math
from dataclasses import fields

import numpy as np
import torch

from gdexp.engine.interpreter import Interpreter
from gdexp.engine.plan import Plan
from gdexp.engine.program import Array
from gdexp.engine.rows import Block, Code, Rows


def advance(plan: Plan, rows: Rows, block: Block) -> None:
    programs = [Interpreter(each) for each in (plan.evaluate, plan.first, plan.update)]
    for r in range(len(rows.k)):
        if rows.code[r] == Code.BELOW and rows.checked[r]:
            rows.code[r] = Code.RUNNING
        while rows.code[r] == Code.RUNNING and rows.k[r] <= block.until:
            step(plan, programs, rows, block, r)


def call(program: Interpreter, given: dict[str, Array]) -> dict[str, Array]:
    nodes, inputs = program.program.nodes, program.program.inputs
    tensors = {
        name: torch.from_numpy(given[name].copy()).reshape(1, *nodes[i].shape)
        for name, i in inputs.items()
    }
    return {name: value.numpy().reshape(-1) for name, value in program(tensors).items()}


def step(plan: Plan, programs: list[Interpreter], rows: Rows, block: Block, r: int) -> None:
    k = int(rows.k[r])
    while True:
        rows.evaluations[r] += 1
        found = call(programs[0], {"x": rows.x[r]})
        loss = found["loss"]
        if np.isnan(loss[0]):
            loss = np.full_like(loss, math.nan)
        given = {"x": rows.x[r], "loss": loss, "gradient": found["gradient"]}
        place = 0
        for i, shape in enumerate(plan.state_shapes):
            given[f"state{i}"] = rows.state[r, place : place + math.prod(shape)]
            place += math.prod(shape)
        given |= coefficients(block, r, k)
        after = call(programs[1 if k == 0 else 2], given)
        x = after["x"]
        parts = [after[f"state{i}"] for i in range(len(plan.state_shapes))]
        state = np.concatenate([*parts, np.empty(0, x.dtype)])
        if "accepted" not in after or after["accepted"][0]:
            break
        rows.x[r], rows.state[r] = x, state
    judge(rows, block, r, k, float(loss[0]), x, state)


def coefficients(block: Block, r: int, k: int) -> dict[str, Array]:
    of_row = block.coefficients[r if len(block.coefficients) > 1 else 0]
    of_step = of_row[k + 1 - block.first if len(of_row) > 1 else 0]
    return {f"coefficient{i}": of_step[i : i + 1] for i in range(len(of_step))}


def judge(rows: Rows, block: Block, r: int, k: int, loss: float, x: Array, state: Array) -> None:
    if block.trace is not None:
        block.trace[r, k - block.trace_first] = loss
    gap = loss - rows.f_star[r]
    met = math.isfinite(loss) and gap <= rows.threshold[r]
    new = rows.hit_k[r] == -1
    if met and new and loss < rows.f_star[r] and not rows.checked[r]:
        rows.code[r] = Code.BELOW
        rows.evaluations[r] -= 1
        return
    rows.loss[r] = loss
    if math.isfinite(loss) and not rows.lowest[r] <= loss:
        rows.lowest[r] = loss
    if not math.isnan(loss) and not rows.highest[r] >= loss:
        rows.highest[r] = loss
    if k == rows.midway_at[r]:
        rows.midway[r] = loss
    if not math.isfinite(loss):
        rows.code[r] = Code.DIVERGED
        return
    if met:
        if new:
            rows.hit_k[r], rows.before[r] = k, rows.last_loss[r]
        if gap <= rows.goal[r]:
            rows.code[r] = Code.CONVERGED
            return
        if new:
            rows.hit_x[r] = rows.x[r]
        rows.threshold[r], rows.limit[r] = rows.goal[r], rows.max_iterations[r]
    here = np.concatenate([rows.x[r], rows.state[r]])
    if k >= rows.constant_since[r]:
        for before, point, period in (
            (rows.last_loss[r], rows.last[r], 1),
            (rows.anchor_loss[r], rows.anchor[r], k - rows.anchor_k[r]),
        ):
            if same(np.float64(loss), before) and same(here, point):
                rows.code[r], rows.period[r] = Code.STALLED, period
                return
        if k & (k - 1) == 0:
            rows.anchor[r], rows.anchor_loss[r], rows.anchor_k[r] = here, loss, k
    if k >= rows.limit[r]:
        rows.code[r] = Code.LIMIT
        return
    rows.last[r], rows.last_loss[r] = here, loss
    rows.x[r], rows.state[r], rows.k[r] = x, state, k + 1


def same(a: Array, b: Array) -> bool:
    return np.asarray(a).tobytes() == np.asarray(b).tobytes()


def differences(a: Rows, b: Rows) -> list[str]:
    """The arrays whose bits differ; any two NaN of x or a state count as equal."""
    found = []
    for each in fields(Rows):
        one, other = getattr(a, each.name), getattr(b, each.name)
        if each.name in ("x", "state", "last", "anchor", "hit_x"):
            one, other = np.where(np.isnan(one), 0, one), np.where(np.isnan(other), 0, other)
        if one.tobytes() != other.tobytes():
            found.append(each.name)
    return found


def copied(rows: Rows) -> Rows:
    return copy.deepcopy(rows)
