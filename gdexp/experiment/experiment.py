"""An experiment: the objects made from a checked config, ready to run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch

from gdexp import config
from gdexp.core import (
    BadInput,
    GdexpError,
    code_failed,
    mask_secrets,
    printable_line,
    validation,
)
from gdexp.descent import (
    Result,
    Stopping,
    Watch,
    descend,
    resolve_engine,
    same_engine,
    starting_point,
)
from gdexp.engine import Plans
from gdexp.experiment.provenance import code_digests
from gdexp.optimizers import UpdateRule, build_rule, import_paths
from gdexp.problems import CUSTOM, Problem, build_problem, first_loss


@dataclass(frozen=True)
class Experiment:
    """One descent, described completely.

    Attributes:
        config: the plain config of what decides the outcome, with the engine as resolved.
        engine: how the descent is computed: `portable`, `torch`; or `auto`, which takes portable
            here, unless the first descent shows that torch must compute it.
        engine_reason: why `engine=auto` takes torch; else None.
        asked_engine: what the config says of the engine.
        plans: keeps what is recorded of the loss, for all experiments that have it; None: the
            problem keeps it.
    """

    problem: Problem
    rule: UpdateRule
    stopping: Stopping
    seed: int
    dtype: torch.dtype
    device: torch.device
    config: config.Config
    engine: str = "torch"
    engine_reason: str | None = None
    asked_engine: str = "torch"
    plans: Plans | None = None

    @classmethod
    def from_config(
        cls, composed: Mapping[str, Any], trust: Sequence[str] = (), plans: Plans | None = None
    ) -> Experiment:
        """Build and check every part of a config.

        Args:
            composed: a plain config.
            trust: import paths that `problem=custom` may use. A path that a person typed on this
                machine is trusted; a path from a stored config is not.
            plans: the attribute of this name.

        Raises:
            BadInput: the first value that cannot be used, by its full key.
        """
        chosen = config.outcome(composed)
        problem = build_problem(_group("problem", chosen), trust)
        return cls(
            problem=problem,
            rule=build_rule(chosen["optimizer"], trust),
            stopping=_stopping(chosen, problem),
            seed=validation.integer("seed", chosen["seed"]),
            dtype=validation.dtype(chosen["dtype"]),
            device=validation.device(chosen["device"]),
            config=chosen,
            asked_engine=chosen.get("engine", "torch"),
            plans=plans,
        )._completed()

    def _completed(self) -> Experiment:
        """Return the experiment with its engine, after the checks of its numbers."""
        with self.problem_errors():
            start = starting_point(self.problem, self.seed)
            parts = self.problem, self.rule, start, self.dtype, self.device
            engine, reason = resolve_engine(*parts, self.asked_engine, self.plans)
        for key, value in (("x0", start), ("target", self.problem.target)):
            self._check_range(f"problem.{key}", value)
        return self._on(engine, reason)

    def on_torch(self) -> Experiment:
        """Return the experiment on torch, which its study was resolved to."""
        return self if self.engine == "torch" else self._on("torch", None)

    def _on(self, engine: str, reason: str | None) -> Experiment:
        """Return the experiment on an engine, which stands in its config if one was asked for."""
        if reason is not None and reason != self.engine_reason:
            reason = printable_line(mask_secrets(reason))  # it may quote the user's code
        made = replace(self, engine=engine, engine_reason=reason)
        if "engine" not in self.config:
            return made
        resolved = "portable" if engine == "auto" else engine
        return replace(made, config={**self.config, "engine": resolved})

    def of_result(self, result: Result) -> Experiment:
        """Return the experiment as it was run: with the engine that computed the result."""
        if self.config.get("engine", "torch") == result.engine:
            return self
        return self._on(result.engine, result.engine_reason)

    def varied(self, composed: Mapping[str, Any]) -> Experiment | None:
        """Return the experiment of a config that differs in rule, stopping rule and seed alone.

        It is equal to that of `from_config`, and shares the problem, whose making takes longest.

        Returns:
            The experiment; None where the config differs in more, or the problem is the user's own
            and may keep a state.

        Raises:
            BadInput: as `from_config`.
        """
        chosen = config.outcome(composed)
        if self.config["problem"].get("name") == CUSTOM or chosen.keys() != self.config.keys():
            return None
        before = {**self.config, "engine": self.asked_engine}
        others = self.config.keys() - {"optimizer", "stopping", "seed"}
        if any(repr(chosen[key]) != repr(before[key]) for key in others):
            return None  # not by ==: 1 and true are two values
        rule = build_rule(chosen["optimizer"], import_paths(before["optimizer"]))
        made = replace(
            self,
            rule=rule,
            stopping=_stopping(chosen, self.problem),
            seed=validation.integer("seed", chosen["seed"]),
            config=chosen,
        )
        if made.seed == self.seed and same_engine(rule, self.rule):
            return made._on(self.engine, self.engine_reason)
        return made._completed()

    @property
    def signature(self) -> str:
        """The hash that equal experiments share.

        Modules that the user's code imports during the descent have joined at its end.
        """
        return config.signature(self.config, code_digests(self.config))

    def run(self, watch: Watch | None = None) -> Result:
        """Run the descent.

        Raises:
            GdexpError: names the problem whose code raised another exception.
        """
        with self.problem_errors():
            return descend(
                self.problem,
                self.rule,
                self.stopping,
                seed=self.seed,
                dtype=self.dtype,
                device=self.device,
                watch=watch,
                engine=self.engine,
                plans=self.plans,
            )

    def rehearse(self) -> None:
        """Make one update and drop its result, so that errors come before anything is written.

        Raises:
            BadInput: a loss that is no scalar function of x, or whose data have another dtype
                than x; a rule that cannot take this x.
            GdexpError: the problem's own code raised an exception.
        """
        with self.problem_errors():
            self._check_loss_dtype()
            stopping = replace(self.stopping, max_iterations=1, cap=None)
            descend(
                self.problem,
                self.rule,
                stopping,
                seed=self.seed,
                dtype=self.dtype,
                device=self.device,
                engine=self.engine,
                plans=self.plans,
            )

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

    @contextmanager
    def problem_errors(self) -> Iterator[None]:
        """Turn exceptions from the problem's code into gdexp's errors, with the problem's name."""
        try:
            yield
        except BadInput as error:
            raise (error.in_section("optimizer") if error.key == "class_name" else error) from error
        except GdexpError:
            raise
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            where = self.config["problem"].get("path") or self.problem.name
            raise code_failed(where, error) from error

    def with_cap(self, cap: int | None) -> Experiment:
        """Return the experiment with a cap on its iterations.

        None, or a cap that is not below its own limit, changes nothing.
        """
        if cap is None or cap >= self.stopping.limit:
            return self
        stopping = replace(self.stopping, cap=cap)
        group = {**self.config["stopping"], "cap": cap}
        return replace(self, stopping=stopping, config={**self.config, "stopping": group})

    def with_limit(self, iterations: int) -> Experiment:
        """Return the experiment with at most so many iterations; a lower limit stays."""
        if iterations >= self.stopping.max_iterations:
            return self
        stopping = replace(self.stopping, max_iterations=iterations)
        group = {**self.config["stopping"], "max_iterations": iterations}
        return replace(self, stopping=stopping, config={**self.config, "stopping": group})

    def threshold_warning(self) -> str | None:
        """Return a warning when the threshold is below what the dtype can resolve, else None."""
        if self.problem.absolute:
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


def trusted_paths(composed: Mapping[str, Any]) -> list[str]:
    """Return the import paths of the user's own code in a config that a person composed here."""
    path = composed["problem"].get("path") if isinstance(composed["problem"], Mapping) else None
    return [*([path] if isinstance(path, str) else []), *import_paths(composed.get("optimizer"))]


def _stopping(chosen: Mapping[str, Any], problem: Problem) -> Stopping:
    """Return the stopping rule of a config; whether it is absolute follows from the problem."""
    given = _group("stopping", chosen)
    if "absolute" in given:
        raise BadInput("stopping.absolute", given["absolute"], "write problem.f_star=absolute")
    known = {**given, "absolute": True} if problem.absolute else given
    return config.construct("stopping", Stopping, known)


def _group(name: str, composed: Mapping[str, Any]) -> Mapping[str, Any]:
    given = composed[name]
    if not isinstance(given, Mapping):
        raise BadInput(name, given, "must be a group of keys")
    return given
