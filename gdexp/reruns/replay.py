"""Replay recorded descents with their own start, engine, grouping and thread count."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch

from gdexp import config
from gdexp.core import BadInput, is_missing
from gdexp.descent import EndsAt, Monitor, Result, Status, Watch, descend_batch
from gdexp.engine import Plans, StoredPlans
from gdexp.experiment import (
    BATCH,
    ENVIRONMENT,
    NONDETERMINISTIC_TAG,
    Experiment,
    provenance,
    recorded_code,
    user_codes,
)
from gdexp.reruns.causes import Cause, find_causes
from gdexp.reruns.programs import ProgramUse, plans_to_build, plans_to_run, use_of
from gdexp.reruns.reference import (
    RecordedTraining,
    Reference,
    is_metric_trace,
    source_texts,
)
from gdexp.reruns.verdict import Verdict, compare_descents
from gdexp.runs import stored_experiment
from gdexp.tracking import Array, decode_array, encode_array, json_bytes
from gdexp.training import TENSORS

CAP_FACTOR, CAP_MARGIN = 2, 1_000
"""A rerun is capped at so many times the iterations of its reference, plus the margin.

More iterations cannot change the verdict, and a manipulated record could make it run for days.
"""

ROWS_PER_BATCH = 256
"""The most rows of a replayed batch: all of their references are in memory."""


@dataclass(frozen=True)
class Rerun:
    """A replayed descent.

    Attributes:
        reference: the recorded descent.
        experiment: the experiment of its config; with a cap if the rerun was capped.
        result: the result of the rerun.
        verdict: the verdict on the two.
        captured: the environment of the rerun, as artifacts.
        threads: the thread count of the rerun.
        program: what was computed; None on engine torch.
    """

    reference: Reference
    experiment: Experiment
    result: Result
    verdict: Verdict
    captured: dict[str, bytes]
    threads: int
    program: ProgramUse | None = None

    def __repr__(self) -> str:
        return f"<rerun of {self.reference.shown}: {self.verdict}>"


@dataclass(frozen=True)
class _StoredResult:
    """A result in the form in which it is stored."""

    status: str
    trace: Array
    final: Array
    updates: int
    readings: Mapping[str, Array]
    digests: Mapping[str, Mapping[str, str]]

    @classmethod
    def of(cls, experiment: Experiment, result: Result) -> _StoredResult:
        """Return a result as it would be stored."""
        found = experiment.recorded(result)
        arrays = {name: decode_array(encode_array(each)) for name, each in found.arrays.items()}
        texts = {name: json_bytes(each) for name, each in found.texts.items()}
        training = RecordedTraining.parse(texts[TENSORS]) if TENSORS in texts else None
        return cls(
            str(result.status),
            result.trace,
            arrays.get("final.npy", np.empty(0)),
            result.updates,
            {name: each for name, each in arrays.items() if is_metric_trace(name)},
            {} if training is None else training.digests,
        )


def build_experiment(reference: Reference, trust: Sequence[str] = ()) -> Experiment:
    """Build the experiment of a reference from its untrusted config.

    Raises:
        BadInput: gdexp does not write such a config, it does not fit the recorded start, or it
            needs code that is not trusted or a device that is missing.
    """
    missing = [p for p in config.import_paths(reference.config) if is_missing(p)]
    if missing:
        reason = config.why_not_rerunnable(reference.config, reference.run_id)
        raise BadInput("run", reference.run_id, str(reason))
    experiment = _built(reference, trust, plans_to_build(reference))
    start, shape = reference.initial, tuple(experiment.problem.shape)
    if shape and start.shape != shape:
        raise BadInput(
            f"{reference.shown}: initial.npy", f"shape {start.shape}", f"must have shape {shape}"
        )
    plans = plans_to_run(reference, experiment)
    if isinstance(experiment.plans, StoredPlans) and not isinstance(plans, StoredPlans):
        experiment = _built(reference, trust, plans)
    experiment = replace(experiment, plans=plans)
    if _took_below_for_converged(reference, experiment):
        problem = copy.copy(experiment.problem)
        problem.checks_minimum = False
        experiment = replace(experiment, problem=problem)
    return experiment


def _built(reference: Reference, trust: Sequence[str], plans: Plans | None) -> Experiment:
    try:
        return stored_experiment(reference.config, trust, reference.initial.size, plans)
    except BadInput as error:
        raise BadInput(f"{reference.shown}: {error.key}", error.value, error.allowed) from error


def _took_below_for_converged(reference: Reference, experiment: Experiment) -> bool:
    """Return whether the reference converged below f*, as descents of earlier versions did.

    These knew no status `below_minimum`. A later version never records such a run, so no other
    mark is needed. The rerun gives the status the meaning that it had.
    """
    if experiment.function is None:
        return False
    below = float(reference.trace[-1]) < experiment.problem.reference
    return below and reference.status == Status.CONVERGED


def replay_descent(
    reference: Reference,
    experiment: Experiment,
    *,
    ulps: int = 16,
    restore: bool = True,
    watch: Watch | None = None,
) -> Rerun:
    """Replay one reference, alone or as a row, as it was made.

    Args:
        reference: the recorded descent.
        experiment: from `build_experiment`.
        ulps: the largest distance in ulp at which two numbers count as close.
        restore: whether to set the thread count of the reference.
        watch: called during a descent that runs alone.
    """
    if reference.grouping == BATCH:
        (rerun,) = _batch([(reference, experiment)], ulps, restore)
        return rerun
    with torch_threads(reference.threads if restore else None), experiment.problem_errors():
        capped = _capped(reference, experiment)
        result = capped.rerun(_start(reference, experiment), watch, _monitor(reference))
        return _judge(reference, experiment, result, ulps)


def replay_descents(
    pairs: Sequence[tuple[Reference, Experiment]],
    *,
    ulps: int = 16,
    restore: bool = True,
    done: Callable[[int], object] = lambda count: None,
) -> Iterator[Rerun]:
    """Replay many references, those of a batch in batches; their order may change.

    Args:
        pairs: the references, each with its experiment from `build_experiment`.
        ulps: as in `replay_descent`.
        restore: as in `replay_descent`.
        done: called with the number of new reruns after each batch.
    """
    groups: dict[Hashable, list[tuple[Reference, Experiment]]] = {}
    for reference, experiment in pairs:
        key: Hashable = id(reference)
        if reference.grouping == BATCH:
            key = _batch_key(reference, experiment)
        groups.setdefault(key, []).append((reference, experiment))
    for alike in groups.values():
        for first in range(0, len(alike), ROWS_PER_BATCH):
            part = alike[first : first + ROWS_PER_BATCH]
            if part[0][0].grouping == BATCH:
                yield from _batch(part, ulps, restore)
            else:
                yield from (replay_descent(*each, ulps=ulps, restore=restore) for each in part)
            done(len(part))


@contextmanager
def torch_threads(count: int | None) -> Iterator[None]:
    """Set torch's number of threads inside the `with` block; None changes nothing."""
    before = torch.get_num_threads()
    if count is not None:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        if count is not None:
            torch.set_num_threads(before)


def _batch(pairs: Sequence[tuple[Reference, Experiment]], ulps: int, restore: bool) -> list[Rerun]:
    """Replay references of one problem and rule as the rows of one batch."""
    reference, first = pairs[0]
    assert first.function is not None, "only functions of x run in batches"
    with torch_threads(reference.threads if restore else None), first.problem_errors():
        batch = descend_batch(
            first.function,
            [experiment.rule for _, experiment in pairs],
            [_capped(*pair).stopping for pair in pairs],
            x0=torch.stack([_start(*pair) for pair in pairs]),
            dtype=first.dtype,
            device=first.device,
            engine=first.engine,
            plans=first.plans,
        )
        return [_judge(*pair, result, ulps) for pair, result in zip(pairs, batch, strict=True)]


def _monitor(reference: Reference) -> Monitor | None:
    """Return what ends a rerun at the reading at which the sweep's pruner ended its reference."""
    if reference.status != Status.PRUNED:
        return None
    return EndsAt(reference.updates, Status.PRUNED)


def _capped(reference: Reference, experiment: Experiment) -> Experiment:
    """Return the experiment with a cap well above the iterations of the reference.

    A cap does not end a continuation, so then the limit of all iterations is lowered. The clock
    ends no rerun: one whose reference it ended is capped where that was.
    """
    made = reference.updates
    untimed = replace(experiment.stopping, max_seconds=None)
    experiment = replace(experiment, stopping=untimed)
    if reference.status == Status.OUT_OF_TIME:
        return experiment.with_cap(made)
    limit = CAP_FACTOR * made + CAP_MARGIN
    if experiment.stopping.continue_to is not None:
        return experiment.with_limit(limit)
    return experiment.with_cap(limit)


def _start(reference: Reference, experiment: Experiment) -> torch.Tensor:
    """Return the recorded start in the dtype of the descent."""
    return torch.tensor(reference.initial).to(experiment.dtype)


def _judge(reference: Reference, experiment: Experiment, result: Result, ulps: int) -> Rerun:
    """Compare a result with its reference; must be called with the thread count of the descent."""
    capped = _capped(reference, experiment)
    if reference.status == Status.OUT_OF_TIME and result.status is Status.CAPPED:
        result = replace(result, status=Status.OUT_OF_TIME, stopping=experiment.stopping)
    if result.status is Status.CAPPED or result.updates == capped.stopping.max_iterations:
        experiment = capped
    stored = _StoredResult.of(experiment, result)
    dtype = str(experiment.dtype).removeprefix("torch.")
    verdict = compare_descents(reference, stored, dtype, ulps)
    captured = provenance.provenance_files(
        experiment.config, reference.grouping, program=result.program
    )
    found = _find_causes(reference, experiment, captured)
    verdict = replace(verdict, causes=found)
    use = use_of(experiment)
    return Rerun(reference, experiment, result, verdict, captured, torch.get_num_threads(), use)


def _find_causes(
    reference: Reference, experiment: Experiment, captured: dict[str, bytes]
) -> tuple[Cause, ...]:
    here = {name: text.decode(errors="replace") for name, text in captured.items()}
    sources = reference.sources, source_texts(here)
    environment = json.loads(captured[ENVIRONMENT])
    codes = user_codes(experiment.config)
    if codes:  # a module that this descent did not import counts as it is on the disk
        for name in recorded_code(reference.environment).keys() - environment["code"]["files"]:
            places = (code.here(name) for code in codes)
            environment["code"]["files"][name] = next(filter(None, places), None)
    contradictions = reference.contradictions()
    drawn = experiment.start()
    if drawn is not None and (
        decode_array(encode_array(drawn)).tobytes() != reference.initial.tobytes()
    ):
        contradictions.append(
            "its config makes another start here than its initial.npy, which the rerun began at"
        )
    found = find_causes(reference.environment, environment, sources, contradictions)
    if reference.tags.get(NONDETERMINISTIC_TAG):
        return (Cause(0, "the problem gave different losses for the same x when it ran"), *found)
    return found


def _batch_key(reference: Reference, experiment: Experiment) -> Hashable:
    """Return what is equal for all rows of a batch."""
    problem = config.digest(experiment.config["problem"]), experiment.problem.checks_minimum
    kind = (type(experiment.rule), experiment.dtype, str(experiment.device), experiment.engine)
    use = use_of(experiment)
    program = use.sha256 if use is not None and use.replayed else None
    return *problem, *kind, program, reference.threads, reference.initial.shape
