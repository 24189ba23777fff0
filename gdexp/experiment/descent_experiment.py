"""The experiment of one descent: a function of x, minimised."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch

from gdexp import config
from gdexp.checkpoints import Checkpointing
from gdexp.core import BadInput, mask_secrets, printable_line, validation
from gdexp.descent import (
    EVALUATIONS,
    GAP,
    GRADIENTS,
    RELATIVE,
    Monitor,
    Result,
    Status,
    Stopping,
    Watch,
    as_gaps,
    descend,
    resolve_engine,
    same_engine,
    starting_point,
    total_cost,
)
from gdexp.engine import Plans, StoredPlan
from gdexp.experiment.descent_parts import rule_of, stopping_of
from gdexp.experiment.experiment import (
    Experiment,
    Recorded,
    StoredFiles,
    descent_metrics,
    group,
)
from gdexp.experiment.resolution import resolution_warning
from gdexp.problems import CUSTOM, Problem, build_problem, first_loss
from gdexp.training import ALL, Kept

EVALUATIONS_FILE = "evaluations.npy"
"""Of a rule that makes trials: the evaluations of the loss until each iterate."""


NORMS_FILE = "gradient_norms.npy"
"""Of a descent whose threshold is of the gradient norm: that of each iterate."""


VARIED = frozenset({"optimizer", "stopping", "seed"})
"""The groups of a config that `DescentExperiment.varied` takes from another one."""


@dataclass(frozen=True)
class DescentExperiment(Experiment):
    """One descent of a function of x, described completely."""

    problem: Problem

    @classmethod
    def _built(cls, chosen: config.Config, trust: Sequence[str], plans: Plans | None) -> Self:
        problem = build_problem(group("problem", chosen), trust)
        return cls(
            problem=problem,
            rule=rule_of(chosen, problem, trust),
            stopping=stopping_of(chosen, problem),
            seed=validation.integer("seed", chosen["seed"]),
            dtype=validation.dtype(chosen["dtype"]),
            device=validation.device(chosen["device"]),
            config=chosen,
            asked_engine=chosen.get("engine", "torch"),
            plans=plans,
        )._completed()

    def _completed(self) -> Self:
        """Return the experiment with its engine, after the checks of its numbers."""
        with self.problem_errors():
            start = starting_point(self.problem, self.seed)
            parts = self.problem, self.rule, start, self.dtype, self.device
            norms = self.stopping.of_norm
            engine, reason = resolve_engine(*parts, self.asked_engine, self.plans, norms)
        for key, value in (("x0", start), ("target", self.problem.target)):
            self._check_range(f"problem.{key}", value)
        return self._on(engine, reason)._with_gaps()

    def _with_gaps(self) -> Self:
        """Return the experiment with its thresholds as gaps, in its config too."""
        if self.stopping.measure != RELATIVE:
            return self
        with self.problem_errors():
            start = starting_point(self.problem, self.seed)
            try:
                own = as_gaps(self.stopping, self.problem, start, self.dtype, self.device)
            except BadInput as error:
                raise (error.in_section("stopping") if error.key == "measure" else error) from None
        chosen = {**self.config["stopping"], "threshold": own.threshold, "measure": GAP}
        if own.continue_to is not None:
            chosen["continue_to"] = own.continue_to
        return replace(self, stopping=own, config={**self.config, "stopping": chosen})

    def on_torch(self) -> Self:
        """Return the experiment on torch, which its study was resolved to."""
        return self if self.engine == "torch" else self._on("torch", None)

    def _on(self, engine: str, reason: str | None, **changes: Any) -> Self:  # noqa: ANN401
        """Return the experiment on an engine, which stands in its config if one was asked for.

        Args:
            engine: that computes it.
            reason: why, where `engine=auto` took torch.
            changes: other fields that change.
        """
        if reason is not None and reason != self.engine_reason:
            reason = printable_line(mask_secrets(reason))  # it may quote the user's code
        made: dict[str, Any] = {"engine": engine, "engine_reason": reason, **changes}
        chosen = made.get("config", self.config)
        if "engine" in chosen:
            resolved = "portable" if engine == "auto" else engine
            made["config"] = {**chosen, "engine": resolved}
        return replace(self, **made)

    def of_result(self, result: Result) -> Self:
        """Return the experiment as it was run: with the engine that computed the result."""
        if self.config.get("engine", "torch") == result.engine:
            return self
        return self._on(result.engine, result.engine_reason)

    def varied(self, composed: Mapping[str, Any]) -> Self | None:
        """Return the experiment of a config that differs in few keys; see `Experiment`."""
        chosen = config.outcome(composed)
        if self.config["problem"].get("name") == CUSTOM or chosen.keys() != self.config.keys():
            return None
        if any(_differs(each, known) for each, known in self._beside(chosen)):
            return None
        trust = config.optimizer_paths(self.config["optimizer"])
        rule, seed = (
            rule_of(chosen, self.problem, trust),
            validation.integer("seed", chosen["seed"]),
        )
        stopping = stopping_of(chosen, self.problem)
        changes: dict[str, Any] = {
            "rule": rule,
            "stopping": stopping,
            "seed": seed,
            "config": chosen,
        }
        if seed == self.seed and same_engine(rule, self.rule):
            return self._on(self.engine, self.engine_reason, **changes)._with_gaps()
        return replace(self, **changes)._completed()

    def _beside(self, chosen: Mapping[str, Any]) -> Iterator[tuple[object, object]]:
        """Yield what stands in another config beside rule, stopping rule and seed, and here."""
        for key, known in self.config.items():
            if key not in VARIED:
                yield chosen[key], self.asked_engine if key == "engine" else known

    def run(
        self,
        watch: Watch | None = None,
        monitor: Monitor | None = None,
        kept: Kept = ALL,
        checkpoints: Checkpointing | None = None,
    ) -> Result:
        """Run the descent; see `Experiment`."""
        return self._descend(self.stopping, watch, monitor, checkpoints=checkpoints)

    def rerun(
        self, initial: torch.Tensor, watch: Watch | None = None, monitor: Monitor | None = None
    ) -> Result:
        """Run the descent again from a start; see `Experiment`."""
        return self._descend(self.stopping, watch, monitor, initial)

    def _descend(
        self,
        stopping: Stopping,
        watch: Watch | None = None,
        monitor: Monitor | None = None,
        x0: torch.Tensor | None = None,
        checkpoints: Checkpointing | None = None,
    ) -> Result:
        with self.problem_errors():
            return descend(
                self.problem,
                self.rule,
                stopping,
                seed=self.seed,
                x0=x0,
                dtype=self.dtype,
                device=self.device,
                watch=watch,
                monitor=monitor,
                engine=self.engine,
                plans=self.plans,
                checkpoints=checkpoints,
            )

    def start(self) -> torch.Tensor:
        """Return x at iteration 0, in the dtype of the descent."""
        return starting_point(self.problem, self.seed).to(self.dtype)

    def stored_result(
        self, status: Status, stored: StoredFiles, program: StoredPlan | None = None
    ) -> Result:
        """Return the result that the files of a recorded run hold; see `Experiment`."""
        counted = stored.arrays.get(EVALUATIONS_FILE)
        return Result(
            status=status,
            trace=stored.arrays["trace.npy"],
            initial=torch.from_numpy(stored.arrays["initial.npy"]).to(self.dtype),
            final=torch.from_numpy(stored.arrays["final.npy"]).to(self.dtype),
            rule=self.rule,
            stopping=self.stopping,
            f_star=self.problem.reference,
            problem=self.problem.name,
            engine=str(self.config.get("engine", "torch")),
            engine_reason=self.engine_reason,
            program=program,
            evaluations=None if counted is None else counted.astype(np.int64),
            gradient_norms=stored.arrays[NORMS_FILE] if self.stopping.of_norm else None,
        )

    def recorded(self, result: Result) -> Recorded:
        """Return what a record holds of a result; see `Experiment`."""
        arrays = {"initial.npy": result.initial, "final.npy": result.final}
        counted: dict[str, npt.NDArray[Any]] = {}
        if result.evaluations is not None:
            counted[EVALUATIONS_FILE] = result.evaluations.astype(np.float64)
        norm = result.final_gradient_norm
        if result.gradient_norms is not None:
            counted[NORMS_FILE] = result.gradient_norms
        parts = self.problem.parts()
        index = [{"name": p.name, "shape": p.shape, "offset": p.offset} for p in parts]
        return Recorded(
            metrics={
                **descent_metrics(result, self.stopping.continue_to is not None),
                "loss_evaluations": total_cost(result, EVALUATIONS),
                "gradient_evaluations": total_cost(result, GRADIENTS),
                **({} if norm is None else {"final_gradient_norm": norm}),
            },
            arrays={**arrays, "trace.npy": result.trace, **counted},
            texts={"final_index.json": index} if index else {},
        )

    @property
    def subject(self) -> str:
        """What is minimised: the problem with the shape of x."""
        shape = "×".join(map(str, self.problem.shape)) or "scalar"
        return f"{self.problem.name}, x of shape {shape}"

    @property
    def function(self) -> Problem:
        """The problem."""
        return self.problem

    @property
    def batch_kind(self) -> Hashable | None:
        """What all descents of a batch have in common; see `Experiment`."""
        problem = config.digest(self.config["problem"])
        norms = self.stopping.of_norm
        return problem, type(self.rule), self.dtype, self.device, self.engine, norms

    def rehearse(self) -> Result:
        """Make one update; see `Experiment`.

        Raises:
            BadInput: a loss that is no scalar function of x, or whose data have another dtype
                than x; a rule that cannot take this x.
        """
        with self.problem_errors():
            self._check_loss_dtype()
        return self._descend(replace(self.stopping, max_iterations=1, cap=None))

    def _check_loss_dtype(self) -> None:
        """Refuse data of another dtype than x: torch fails on them, or computes in theirs."""
        name = str(self.dtype).removeprefix("torch.")
        x = starting_point(self.problem, self.seed).to(self.device, self.dtype)
        try:
            loss = first_loss(self.problem.to(self.dtype, self.device), x.requires_grad_())
        except RuntimeError as error:
            if not re.search("dtype|scalar type", str(error)):
                raise
            found = f"fails: {str(error).splitlines()[0]}"
        else:
            if loss.dtype == self.dtype:
                return
            found = f"has dtype {str(loss.dtype).removeprefix('torch.')}"
        raise BadInput(
            "problem",
            self.problem.name,
            f"with x in {name} its loss {found}; convert its data with .to(x.dtype), or give "
            "their dtype as dtype=…",
        )

    def threshold_warning(self) -> str | None:
        """Return a warning when the threshold is below what the dtype can resolve, else None."""
        if self.problem.absolute or not self.stopping.has_threshold or self.stopping.of_norm:
            return None
        return resolution_warning(self.problem, self.rule, self.stopping.threshold, self.dtype)

    def _check_range(self, key: str, value: torch.Tensor | None) -> None:
        """Refuse numbers that are infinite in the experiment's dtype."""
        if value is None or torch.isfinite(value.to(self.dtype)).all():
            return
        largest = torch.finfo(self.dtype).max
        raise BadInput(
            key,
            f"up to {float(value.abs().max()):.3g}",
            f"must be within ±{largest:.3g}, the largest {str(self.dtype).removeprefix('torch.')}",
        )


def _differs(value: object, known: object) -> bool:
    """Return whether two values are written differently; `1 == True`, yet they are two values."""
    return value is not known and repr(value) != repr(known)
