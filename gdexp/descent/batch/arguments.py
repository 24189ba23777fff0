"""What `descend_batch` is given, checked, with one entry for each row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch

from gdexp.core import BadInput, validation
from gdexp.descent.batch.hyperparameters import distinct
from gdexp.descent.loop import starting_point, stopping_for
from gdexp.descent.stopping import Stopping
from gdexp.optimizers import GradientDescent, UpdateRule
from gdexp.problems import Problem


class Given(NamedTuple):
    """The checked arguments, one entry per row."""

    rules: list[UpdateRule]
    stoppings: list[Stopping]
    initial: torch.Tensor


def given(
    problem: Problem,
    rules: UpdateRule | Sequence[UpdateRule] | None,
    stopping: Stopping | Sequence[Stopping] | None,
    x0: torch.Tensor | Sequence[torch.Tensor] | None,
    seeds: int | Sequence[int],
    dtype: torch.dtype,
) -> Given:
    """All arguments with one entry per row.

    Raises:
        BadInput: names the first argument that cannot be used.
    """
    rules = GradientDescent() if rules is None else rules
    stopping = Stopping() if stopping is None else stopping
    many_starts = x0 is not None and not _is_one_start(problem, x0)
    lengths = {
        "rules": None if isinstance(rules, UpdateRule) else len(rules),
        "stopping": None if isinstance(stopping, Stopping) else len(stopping),
        "x0": len(x0) if x0 is not None and many_starts else None,
        "seeds": None if isinstance(seeds, int) else len(seeds),
    }
    known = {key: length for key, length in lengths.items() if length is not None}
    for key, length in known.items():
        if length == 0:
            raise BadInput(key, "nothing", "must have at least one entry")
        first_key, first = next(iter(known.items()))
        if length != first:
            raise BadInput(key, f"{length} entries", f"must be one, or {first} as in {first_key}")
    count = next(iter(known.values()), 1)

    every_rule = [rules] * count if isinstance(rules, UpdateRule) else list(rules)
    every_stopping = [stopping] * count if isinstance(stopping, Stopping) else list(stopping)
    _check_kinds(every_rule, every_stopping)
    if problem.absolute or any(each.absolute for each in every_stopping):
        own, which = distinct(every_stopping)
        fitting = [stopping_for(problem, each) for each in own]
        every_stopping = [fitting[i] for i in which.tolist()]
    return Given(every_rule, every_stopping, _starts(problem, x0, seeds, count, dtype))


def _check_kinds(rules: list[UpdateRule], stoppings: list[Stopping]) -> None:
    """Refuse what is no rule, or rules of several classes; types are few where rows are many."""
    classes = dict.fromkeys(map(type, rules))
    for kind in classes:
        if not issubclass(kind, UpdateRule):
            stranger = next(rule for rule in rules if type(rule) is kind)
            raise BadInput("rules", stranger, "must be update rules")
    if len(classes) > 1:
        names = " and ".join(kind.__name__ for kind in list(classes)[:2])
        raise BadInput("rules", names, "must be of one class: run one batch for each")
    for other in dict.fromkeys(map(type, stoppings)):
        if not issubclass(other, Stopping):
            unknown = next(each for each in stoppings if type(each) is other)
            raise BadInput("stopping", unknown, "must be stopping rules")


def _is_one_start(problem: Problem, x0: torch.Tensor | Sequence[torch.Tensor]) -> bool:
    return isinstance(x0, torch.Tensor) and x0.ndim <= len(problem.shape)


def _starts(
    problem: Problem,
    x0: torch.Tensor | Sequence[torch.Tensor] | None,
    seeds: int | Sequence[int],
    count: int,
    dtype: torch.dtype,
) -> torch.Tensor:
    """The checked starts on the CPU in the dtype of the descent, shape (count, *shape)."""
    every_seed = [seeds] * count if isinstance(seeds, int) else list(seeds)
    for seed in dict.fromkeys(every_seed):
        validation.integer("seeds", seed)
    if isinstance(x0, torch.Tensor) and not _is_one_start(problem, x0):
        shape = (count, *problem.shape)
        if tuple(x0.shape) != shape:
            raise BadInput("x0", f"shape {tuple(x0.shape)}", f"must have shape {shape}")
        if not x0.is_floating_point():
            raise BadInput("x0", x0.dtype, "must be a tensor of a floating dtype: use .float()")
        if not torch.isfinite(x0).all():
            raise BadInput("x0", "nan or inf", "must hold finite numbers only")
        own = x0.detach().to(device="cpu", dtype=dtype, copy=True)
        return own.contiguous()
    if x0 is None:
        return _drawn(problem, every_seed, dtype)
    if isinstance(x0, torch.Tensor):
        start = starting_point(problem, 0, x0).to("cpu", dtype)
        return start.expand(count, *start.shape).clone(memory_format=torch.contiguous_format)
    return _stacked([starting_point(problem, 0, each) for each in x0], dtype)


def _drawn(problem: Problem, seeds: list[int], dtype: torch.dtype) -> torch.Tensor:
    """The problem's own start for each seed; each is made once, and all are checked together."""
    distinct = list(dict.fromkeys(seeds))
    starts: list[torch.Tensor] = [starting_point(problem, distinct[0])]
    starts += [problem.start(seed) for seed in distinct[1:]]
    kinds = {(type(start), getattr(start, "dtype", None)) for start in starts}
    shapes = {getattr(start, "shape", None) for start in starts}
    if (
        len(kinds) > 1
        or len(shapes) > 1
        or not torch.isfinite(stacked := torch.stack(starts)).all()
    ):
        # Whichever cannot be used is named.
        return _stacked([starting_point(problem, seed) for seed in seeds], dtype)
    if len(distinct) == len(seeds):
        return stacked.detach().to("cpu", dtype)
    position = {seed: i for i, seed in enumerate(distinct)}
    return stacked.detach().to("cpu", dtype)[torch.tensor([position[seed] for seed in seeds])]


def _stacked(starts: list[torch.Tensor], dtype: torch.dtype) -> torch.Tensor:
    for start in starts:
        if start.shape != starts[0].shape:
            shapes = f"shapes {tuple(starts[0].shape)} and {tuple(start.shape)}"
            raise BadInput("x0", shapes, "must all have one shape")
    return torch.stack([start.to(device="cpu", dtype=dtype) for start in starts])
