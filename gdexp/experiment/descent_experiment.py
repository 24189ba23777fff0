"""The experiment of one descent: a function of x, minimised."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence
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
from gdexp.problems import CUSTOM, Problem, build_problem, first_loss
from gdexp.training import ALL, Kept

EVALUATIONS_FILE = "evaluations.npy"
"""Of a rule that makes trials: the evaluations of the loss until each iterate."""


NORMS_FILE = "gradient_norms.npy"
"""Of a descent whose threshold is of the gradient norm: that of each iterate."""


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

    def _on(self, engine: str, reason: str | None) -> Self:
        """Return the experiment on an engine, which stands in its config if one was asked for."""
        if reason is not None and reason != self.engine_reason:
            reason = printable_line(mask_secrets(reason))  # it may quote the user's code
        made = replace(self, engine=engine, engine_reason=reason)
        if "engine" not in self.config:
            return made
        resolved = "portable" if engine == "auto" else engine
        return replace(made, config={**self.config, "engine": resolved})

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
        before = {**self.config, "engine": self.asked_engine}
        others = self.config.keys() - {"optimizer", "stopping", "seed"}
        if any(repr(chosen[key]) != repr(before[key]) for key in others):
            return None  # not by ==: 1 and true are two values
        trust = config.optimizer_paths(before["optimizer"])
        rule = rule_of(chosen, self.problem, trust)
        made = replace(
            self,
            rule=rule,
            stopping=stopping_of(chosen, self.problem),
            seed=validation.integer("seed", chosen["seed"]),
            config=chosen,
        )
        if made.seed == self.seed and same_engine(rule, self.rule):
            return made._on(self.engine, self.engine_reason)._with_gaps()
        return made._completed()

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
        floor, stuck = self._rounding_floor(), self._stuck_floor()
        if self.stopping.threshold >= max(floor, stuck):
            return None
        name = str(self.dtype).removeprefix("torch.")
        where, ways = "here", []
        if stuck > floor:
            where = f"with optimizer.lr={getattr(self.rule, 'lr', None):g}, whose steps become "
            where += "smaller than half a unit in the last place of x"
            ways.append("a larger lr")
        if self.dtype is not torch.float64:
            ways.append("dtype=float64")
        lower = f"; {' or '.join(ways)} goes lower" if ways else ""
        return (
            f"stopping.threshold={self.stopping.threshold:g} is below the smallest loss that "
            f"{name} can be relied on to reach {where} (about {max(floor, stuck):.0e}){lower}"
        )

    def _rounding_floor(self) -> float:
        """Return the loss at a point four rounding errors away from the minimiser.

        That far in every coordinate, with the curvature that the problem declares.
        """
        info, problem = torch.finfo(self.dtype), self.problem
        step = 4 * info.eps * self._scale()
        top = problem.curvature[1] if problem.curvature else 1.0
        return max(
            0.5 * top * self._numbers() * step * step, 0.5 * info.eps * abs(problem.reference)
        )

    def _stuck_floor(self) -> float:
        """Return the loss at which a constant learning rate can no longer move x.

        A step of less than half a unit in the last place rounds to none: with error e along an
        eigenvalue λ a step is lr λ e, so descents stop at e = ulp / (2 lr λ), where the loss is
        ulp² / (8 lr² λ). It is largest for the smallest λ. With momentum β steps add up to
        lr λ e / (1 − β). 0 for other rules, and where no curvature is declared.
        """
        mu = self.problem.curvature[0] if self.problem.curvature else 0.0
        rule: Any = self.rule
        if mu <= 0 or rule.name not in ("gd", "momentum", "nesterov") or not rule.constant:
            return 0.0
        share = (1 - getattr(rule, "dampening", 0.0)) / (1 - getattr(rule, "momentum", 0.0))
        unit = torch.finfo(self.dtype).eps * self._scale()
        error = unit / (2 * rule.lr * share * mu)
        return float(0.5 * mu * self._numbers() * error * error)

    def _scale(self) -> float:
        """Return the largest coordinate of the minimiser; 1 where it is not known."""
        x_star = self.problem.x_star
        return 1.0 if x_star is None else max(float(x_star.abs().max()), 2.0**-10)

    def _numbers(self) -> int:
        return torch.Size(self.problem.shape).numel()

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
