"""The steps of `Rows`, word for word, one row at a time."""

from __future__ import annotations

import math

import numpy as np
import torch

from gdexp.engine.interpreter import Interpreter
from gdexp.engine.plan import Plan
from gdexp.engine.rows import Block, Code, Rows


def advance(plan: Plan, rows: Rows, block: Block) -> None:
    programs = Interpreter(plan.evaluate), Interpreter(plan.first), Interpreter(plan.update)
    for i in range(len(rows.k)):
        if rows.code[i] == Code.BELOW and rows.checked[i]:
            rows.code[i] = Code.RUNNING
        while rows.code[i] == Code.RUNNING and rows.k[i] <= block.until:
            step(plan, programs, rows, block, i)


def step(
    plan: Plan,
    programs: tuple[Interpreter, Interpreter, Interpreter],
    rows: Rows,
    block: Block,
    i: int,
) -> None:
    evaluate, first, update = programs
    r, k = rows, int(rows.k[i])
    x = torch.from_numpy(r.x[i].copy()).reshape(1, *plan.shape)
    found = evaluate({"x": x})
    loss = torch.where(found["loss"].isnan(), math.nan, found["loss"])
    value = float(loss)
    table = block.coefficients[i % len(block.coefficients)]
    numbers = table[min(k + 1 - block.first, len(table) - 1)]
    given = {"x": x, "loss": loss, "gradient": found["gradient"]}
    given |= {f"coefficient{j}": torch.tensor(numbers[j : j + 1]) for j in range(len(numbers))}
    at = 0
    for j, shape in enumerate(plan.state_shapes):
        size = math.prod(shape)
        given[f"state{j}"] = torch.from_numpy(r.state[i, at : at + size].copy()).view(1, *shape)
        at += size
    after = (first if k == 0 else update)(given)
    next_x = after["x"].numpy().ravel()
    states = [after[f"state{j}"].numpy().ravel() for j in range(len(plan.state_shapes))]
    next_state = np.concatenate([*states, np.zeros(0, r.x.dtype)])
    if "accepted" in after and not after["accepted"].item():
        r.x[i], r.state[i] = next_x, next_state
        r.evaluations[i] += 1
        return
    if block.trace is not None:
        block.trace[i, k - block.trace_first] = value
    hit = math.isfinite(value) and value - r.f_star[i] <= r.threshold[i]
    if hit and r.hit_k[i] == -1 and value < r.f_star[i] and not r.checked[i]:
        r.code[i] = Code.BELOW
        return
    r.evaluations[i] += 1
    r.loss[i] = value
    if math.isfinite(value) and not value >= r.lowest[i]:
        r.lowest[i] = value
    if not math.isnan(value) and not value <= r.highest[i]:
        r.highest[i] = value
    if k == r.midway_at[i]:
        r.midway[i] = value
    if not math.isfinite(value):
        r.code[i] = Code.DIVERGED
        return
    if hit:
        begins = r.hit_k[i] == -1
        if begins:
            r.hit_k[i], r.before[i] = k, r.last_loss[i]
        if value - r.f_star[i] <= r.goal[i]:
            r.code[i] = Code.CONVERGED
            return
        if begins:
            r.hit_x[i] = r.x[i]
        r.threshold[i], r.limit[i] = r.goal[i], r.max_iterations[i]
    here = np.concatenate((r.x[i], r.state[i]))
    if k >= r.constant_since[i]:
        for known, known_loss, period in (
            (r.last[i], r.last_loss[i], 1),
            (r.anchor[i], r.anchor_loss[i], k - r.anchor_k[i]),
        ):
            if value == known_loss and here.tobytes() == known.tobytes():
                r.code[i], r.period[i] = Code.STALLED, period
                return
        if k & (k - 1) == 0:
            r.anchor[i], r.anchor_loss[i], r.anchor_k[i] = here, value, k
    if k >= r.limit[i]:
        r.code[i] = Code.LIMIT
        return
    r.last[i], r.last_loss[i] = here, value
    r.x[i], r.state[i], r.k[i] = next_x, next_state, k + 1
