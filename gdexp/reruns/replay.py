"""Recorded descents made again: with their threads, their engine and their own start."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from gdexp import config
from gdexp.core import BadInput
from gdexp.descent import Result, Status, Watch, descend, descend_batch, starting_point
from gdexp.experiment import BATCH, ENVIRONMENT, PROBLEM_SOURCE, Experiment, provenance
from gdexp.reruns.causes import Cause, causes
from gdexp.reruns.reference import Reference
from gdexp.reruns.verdict import Verdict, compared
from gdexp.runs import stored_experiment
from gdexp.tracking import Array, decode_array, encode_array

LONGER = 2, 1_000
"""A rerun is ended after so many times the reference's iterations and so many more: what it does
then changes no verdict, and a record that was changed could make it go on for days.
"""

SAME_PROBLEM_AT_ONCE = 256
"""Rows of a batch that is replayed: their references are all held in memory."""


@dataclass(frozen=True)
class Rerun:
    """A recorded descent made again.

    Attributes:
        reference: what was recorded.
        experiment: what its config stands for; with a cap where the rerun was ended.
        result: what came of it now.
        verdict: how the two compare.
        captured: where and how it was made, as artifacts.
        threads: that it was made with.
    """

    reference: Reference
    experiment: Experiment
    result: Result
    verdict: Verdict
    captured: dict[str, bytes]
    threads: int


@dataclass(frozen=True)
class _Made:
    """A result as it would be stored."""

    status: str
    trace: Array
    final: Array


def prepared(reference: Reference, trust: Sequence[str] = ()) -> Experiment:
    """The experiment of a reference, built of its config as data from elsewhere.

    Raises:
        BadInput: the config is not one that gdexp writes or does not go with the recorded start,
            or needs code or a device that is not allowed or not here.
    """
    try:
        experiment = stored_experiment(reference.config, trust, reference.initial.size)
    except BadInput as error:
        raise BadInput(f"{reference.shown}: {error.key}", error.value, error.allowed) from error
    start, shape = reference.initial, tuple(experiment.problem.shape)
    if shape and start.shape != shape:
        raise BadInput(
            f"{reference.shown}: initial.npy", f"shape {start.shape}", f"must have shape {shape}"
        )
    return experiment


def replayed(
    reference: Reference,
    experiment: Experiment,
    *,
    ulps: int = 16,
    restore: bool = True,
    watch: Watch | None = None,
) -> Rerun:
    """One reference made again by the engine that made it.

    Args:
        reference: what was recorded.
        experiment: from `prepared`.
        ulps: that two numbers may be apart to be called close.
        restore: whether with the reference's thread count; otherwise with this process's own.
        watch: looks at a descent that runs alone.
    """
    if reference.engine == BATCH:
        (made,) = _batch([(reference, experiment)], ulps, restore)
        return made
    with threads(reference.threads if restore else None), experiment.problem_errors():
        result = descend(
            experiment.problem,
            experiment.rule,
            _bounded(reference, experiment).stopping,
            x0=_start(reference, experiment),
            dtype=experiment.dtype,
            device=experiment.device,
            watch=watch,
        )
        return _judged(reference, experiment, result, ulps)


def replayed_all(
    pairs: Sequence[tuple[Reference, Experiment]],
    *,
    ulps: int = 16,
    restore: bool = True,
    done: Callable[[int], object] = lambda count: None,
) -> Iterator[Rerun]:
    """Many references made again, those of a batch in batches; in no particular order.

    Args:
        pairs: each with its experiment from `prepared`.
        ulps: as in `replayed`.
        restore: as in `replayed`.
        done: told how many were made after each batch.
    """
    groups: dict[Hashable, list[tuple[Reference, Experiment]]] = {}
    for reference, experiment in pairs:
        key: Hashable = id(reference)
        if reference.engine == BATCH:
            key = _kind(reference, experiment)
        groups.setdefault(key, []).append((reference, experiment))
    for alike in groups.values():
        for first in range(0, len(alike), SAME_PROBLEM_AT_ONCE):
            part = alike[first : first + SAME_PROBLEM_AT_ONCE]
            if part[0][0].engine == BATCH:
                yield from _batch(part, ulps, restore)
            else:
                yield from (replayed(*each, ulps=ulps, restore=restore) for each in part)
            done(len(part))


@contextmanager
def threads(count: int | None) -> Iterator[None]:
    """Hold torch to a number of threads; None changes nothing."""
    before = torch.get_num_threads()
    if count is not None:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        if count is not None:
            torch.set_num_threads(before)


def _batch(pairs: Sequence[tuple[Reference, Experiment]], ulps: int, restore: bool) -> list[Rerun]:
    """References of one problem and rule made again as the rows of one batch."""
    reference, first = pairs[0]
    with threads(reference.threads if restore else None), first.problem_errors():
        batch = descend_batch(
            first.problem,
            [experiment.rule for _, experiment in pairs],
            [_bounded(*pair).stopping for pair in pairs],
            x0=torch.stack([_start(*pair) for pair in pairs]),
            dtype=first.dtype,
            device=first.device,
        )
        return [_judged(*pair, result, ulps) for pair, result in zip(pairs, batch, strict=True)]


def _bounded(reference: Reference, experiment: Experiment) -> Experiment:
    """The same, ended long after the reference did."""
    times, more = LONGER
    return experiment.with_cap(times * (len(reference.trace) - 1) + more)


def _start(reference: Reference, experiment: Experiment) -> torch.Tensor:
    """The recorded start, as the descent takes it."""
    return torch.from_numpy(reference.initial).to(experiment.dtype)


def _judged(reference: Reference, experiment: Experiment, result: Result, ulps: int) -> Rerun:
    """The verdict, with the differences between the two places as they are while it runs."""
    if result.status is Status.CAPPED:
        experiment = _bounded(reference, experiment)
    made = _Made(str(result.status), result.trace, decode_array(encode_array(result.final)))
    dtype = str(experiment.dtype).removeprefix("torch.")
    verdict = compared(reference, made, dtype, ulps)
    captured = provenance.provenance_files(experiment.config, reference.engine)
    found = _causes(reference, experiment, captured)
    verdict = Verdict(verdict.level, verdict.reasons, verdict.trace, verdict.final, found)
    return Rerun(reference, experiment, result, verdict, captured, torch.get_num_threads())


def _causes(
    reference: Reference, experiment: Experiment, captured: dict[str, bytes]
) -> tuple[Cause, ...]:
    sources = (
        reference.text(PROBLEM_SOURCE),
        captured.get(PROBLEM_SOURCE, b"").decode(errors="replace"),
    )
    here = json.loads(captured[ENVIRONMENT])
    doubts = reference.doubts()
    drawn = starting_point(experiment.problem, experiment.seed).to(experiment.dtype)
    if decode_array(encode_array(drawn)).tobytes() != reference.initial.tobytes():
        doubts.append(
            "its config makes another start here than its initial.npy, which the rerun began at"
        )
    return causes(reference.environment, here, sources, doubts)


def _kind(reference: Reference, experiment: Experiment) -> Hashable:
    """What all rows of a batch have in common."""
    problem = config.digest(experiment.config["problem"])
    kind = (type(experiment.rule), experiment.dtype, str(experiment.device))
    return problem, *kind, reference.threads, reference.initial.shape
