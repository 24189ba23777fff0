"""What `descend_batch` is given, checked, with one entry for each row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from gdexp.core import BadInput, validation
from gdexp.descent.batch.hyperparameters import distinct
from gdexp.descent.starts import starting_point, stopping_for
from gdexp.descent.stopping import Stopping
from gdexp.optimizers import GradientDescent, UpdateRule
from gdexp.problems import Problem


class Given(NamedTuple):
    """The checked arguments.

    Attributes:
        rules: one per row.
        stoppings: one per row.
        initial: the starts on the CPU in the dtype of the descent, shape (rows, *shape).
        own_rules: the distinct rules, and for each row the position of its rule.
        own_stoppings: the same of the stopping rules.
    """

    rules: list[UpdateRule]
    stoppings: list[Stopping]
    initial: torch.Tensor
    own_rules: tuple[list[UpdateRule], npt.NDArray[np.int64]]
    own_stoppings: tuple[list[Stopping], npt.NDArray[np.int64]]


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

    own_rules = _each(rules, count)
    own_stoppings = _each(stopping, count)
    _check_kinds(own_rules[0], own_stoppings[0])
    every_rule = [rules] * count if isinstance(rules, UpdateRule) else list(rules)
    completed = [each.for_problem(problem) for each in own_rules[0]]
    if any(new is not old for new, old in zip(completed, own_rules[0], strict=True)):
        own_rules = completed, own_rules[1]
        every_rule = [completed[i] for i in own_rules[1].tolist()]
    every_stopping = [stopping] * count if isinstance(stopping, Stopping) else list(stopping)
    own, which = own_stoppings
    if problem.absolute or any(each.absolute for each in own):
        own_stoppings = [stopping_for(problem, each) for each in own], which
        every_stopping = [own_stoppings[0][i] for i in which.tolist()]
    if len({each.of_norm for each in own}) > 1:
        raise BadInput("stopping", "gap and gradient_norm", "must have one measure in a batch")
    starts = _starts(problem, x0, seeds, count, dtype)
    return Given(every_rule, every_stopping, starts, own_rules, own_stoppings)


def _each(
    given: UpdateRule | Stopping | Sequence[Any], count: int
) -> tuple[list[Any], npt.NDArray[np.int64]]:
    """Return the distinct ones among what is given for all rows or for each."""
    if isinstance(given, UpdateRule | Stopping):
        return [given], np.zeros(count, dtype=np.int64)
    return distinct(given)


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
    for seed in [seeds] if isinstance(seeds, int) else dict.fromkeys(seeds):
        validation.integer("seeds", seed)
    if isinstance(x0, torch.Tensor) and not _is_one_start(problem, x0):
        shape = (count, *problem.shape)
        if tuple(x0.shape) != shape:
            raise BadInput("x0", f"shape {tuple(x0.shape)}", f"must have shape {shape}")
        if not x0.is_floating_point():
            raise BadInput("x0", x0.dtype, "must be a tensor of a floating dtype: use .float()")
        if x0.numel() and not torch.isfinite(torch.stack(torch.aminmax(x0.detach()))).all():
            raise BadInput("x0", "nan or inf", "must hold finite numbers only")
        own = x0.detach().to(device="cpu", dtype=dtype, copy=True)
        return own.contiguous()
    if x0 is None and not isinstance(seeds, int):
        return _drawn(problem, list(seeds), dtype)
    if x0 is None or isinstance(x0, torch.Tensor):
        seed = seeds if isinstance(seeds, int) else 0
        start = starting_point(problem, seed, x0).to("cpu", dtype)
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
