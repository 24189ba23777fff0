"""Certificates: what a rule promises after N updates for every function of a class."""

from __future__ import annotations

import decimal
import math
from dataclasses import dataclass

from gdexp.core import BadInput, validation
from gdexp.optimizers import UpdateRule
from gdexp.theory import performance_estimation
from gdexp.theory.fixed_steps import step_matrix, with_condition
from gdexp.theory.modes import Floats
from gdexp.theory.performance_estimation import ACCURACY, Solved
from gdexp.theory.proven_bounds import Proven, floor_of_convex, proven_bound
from gdexp.theory.quadratic_class import MOST_STEPS, floor_of_quadratics, worst_of_quadratics
from gdexp.theory.stored_worst_cases import STEPS, stored_worst_case

CONVEX, QUADRATIC = FUNCTIONS = ("convex", "quadratic")

CLOSED_FORM, SOLVER = "closed form", "solver"

AUTO, NEVER, ALWAYS = SOLVERS = ("auto", "never", "always")

SHORT = 40
"""The most updates for which `auto` asks the solver: more take minutes."""


@dataclass(frozen=True)
class Certificate:
    """A bound on `f(x_N) - f*`, in exact arithmetic.

    Attributes:
        bound: of the gap; by a solver to about `performance_estimation.ACCURACY`.
        exact: whether it is the worst case itself: a function of the class attains it, to the
            accuracy of the bound. Else it is a bound that may never be met.
        method: `closed form` or `solver`.
        source: the paper of the proof, or the solver with its versions.
        solver_gap: between the bound and the example of the solver, which for a bound is of the
            larger class that it was solved for; None with a closed form.
        assumptions: with which the bound holds.
        floor: what none of the `methods` can promise less than; None where it is not known.
        floor_source: its paper; None without a floor.
        steps: N.
        smoothness: L.
        strong_convexity: mu.
        functions: `convex` or `quadratic`.
        distance: |x0 - x*|.
    """

    bound: float
    exact: bool
    method: str
    source: str
    solver_gap: float | None
    assumptions: tuple[str, ...]
    floor: float | None
    floor_source: str | None
    steps: int
    smoothness: float
    strong_convexity: float
    functions: str
    distance: float

    @property
    def measure(self) -> str:
        """What is bounded."""
        return f"f(x_{self.steps}) - f* where |x0 - x*| <= {self.distance:g}"

    @property
    def methods(self) -> str:
        """The methods that cannot promise less than the floor."""
        every = self.functions == CONVEX and self.strong_convexity == 0
        return "first-order method" if every else "method whose steps combine the gradients"

    @property
    def kind(self) -> str:
        """`worst case`, or `bound` where it is not known to be attained."""
        return "worst case" if self.exact else "bound"

    @property
    def stated_bound(self) -> str:
        """The bound with the digits that are known; a solver's that is not attained, rounded up."""
        if self.solver_gap is None:
            return f"{self.bound:.8g}"
        if self.exact:
            return f"{self.bound:.5g}"
        with decimal.localcontext(prec=5, rounding=decimal.ROUND_CEILING) as context:
            raised = context.create_decimal_from_float(self.bound * (1 + ACCURACY))
            return f"{float(raised):.5g}"

    def __str__(self) -> str:
        relation = "is at most" if not self.exact else "is at worst"
        stated = f"f(x_{self.steps}) - f* {relation} {self.stated_bound}"
        return f"{stated}: {'; '.join(self.assumptions)}"


def certify(
    rule: UpdateRule,
    steps: int,
    *,
    smoothness: float,
    strong_convexity: float = 0.0,
    functions: str = CONVEX,
    distance: float = 1.0,
    solver: str = AUTO,
) -> Certificate:
    """Return what a rule promises of the gap after N updates, for every function of a class.

    ::

        from gdexp import GradientDescent, Silver, certify

        made = certify(GradientDescent(lr=1, schedule=Silver()), 15, smoothness=1)
        print(made.kind, f"{made.bound:.6f}")

    The rule's points must be fixed combinations of the start and the gradients: gd with any
    schedule, momentum, nesterov, fast_gradient, ogm, ogm_g, triple_momentum and
    chebyshev_semi_iteration. What is proven to be exact comes first; then what was solved once and
    is stored (convex functions, N to 31, the shipped schedules with lr = 1 / L); then the solver,
    if `gdexp[pep]` is installed; then a proven bound that is not exact.

    Args:
        rule: the update rule, with its schedule.
        steps: N, >= 0.
        smoothness: L, > 0: the gradient is L-Lipschitz.
        strong_convexity: mu, from 0 to L.
        functions: `convex`, or `quadratic` for those with spectrum in [mu, L].
        distance: |x0 - x*|, > 0.
        solver: `auto`; `never`; or `always`, in place of closed forms and of what is stored.

    Raises:
        BadInput: a value cannot be used, or nothing is known without the solver.
        GdexpError: the solver is missing or fails.
    """
    steps = validation.integer("steps", steps, low=0, high=10**6)
    smoothness = validation.positive("smoothness", smoothness)
    mu = validation.non_negative("strong_convexity", strong_convexity)
    if mu > smoothness:
        raise BadInput("strong_convexity", mu, f"must be at most smoothness={smoothness:g}")
    validation.choice("functions", functions, FUNCTIONS)
    validation.choice("solver", solver, SOLVERS)
    distance = validation.positive("distance", distance)
    rule = with_condition(rule, smoothness, mu)
    unit = smoothness * distance * distance
    floor: tuple[float, str] | None = None
    if functions == QUADRATIC:
        found: Proven | Solved = _quadratic(rule, steps, smoothness, mu, solver)
        text = "the least worst case" if mu == 0 else "a bound on the least worst case"
        floor = (
            floor_of_quadratics(steps, mu / smoothness, 1.0),
            f"{text}, by Chebyshev polynomials",
        )
    else:
        found = _convex(rule, steps, smoothness, mu, solver)
        floor = _floor(steps, mu / smoothness)
    solved = isinstance(found, Solved)
    return Certificate(
        bound=found.bound * unit,
        exact=found.exact,
        method=SOLVER if solved else CLOSED_FORM,
        source=found.source,
        solver_gap=found.gap * unit if isinstance(found, Solved) else None,
        assumptions=_assumptions(functions, smoothness, mu, distance, solved),
        floor=None if floor is None else floor[0] * unit,
        floor_source=None if floor is None else floor[1],
        steps=steps,
        smoothness=smoothness,
        strong_convexity=mu,
        functions=functions,
        distance=distance,
    )


def _quadratic(rule: UpdateRule, steps: int, smoothness: float, mu: float, solver: str) -> Proven:
    """Return the worst case over quadratics; it needs no solver."""
    if solver == ALWAYS:
        raise BadInput("solver", solver, "must be auto or never with functions=quadratic")
    if steps > MOST_STEPS:
        raise BadInput("steps", steps, f"must be at most {MOST_STEPS:,} with functions=quadratic")
    worst = worst_of_quadratics(rule, steps, mu, smoothness) / smoothness
    if not math.isfinite(worst):
        raise BadInput("optimizer.lr", getattr(rule, "lr", None), "is unstable: no bound exists")
    source = "the largest λ p(λ)² / 2 on [mu, L], with p the residual polynomial of the rule"
    return Proven(worst, True, source)


def _convex(
    rule: UpdateRule, steps: int, smoothness: float, mu: float, solver: str
) -> Proven | Solved:
    """Return the best that is known over convex functions, for L = 1 and a distance of 1."""
    proven = proven_bound(rule, steps, smoothness, mu / smoothness)
    if solver != ALWAYS and proven is not None and proven.exact:
        return proven
    asked = solver == ALWAYS or (
        solver == AUTO and performance_estimation.available() and steps <= SHORT
    )
    if steps and (asked or steps <= STEPS):
        matrix: Floats = step_matrix(rule, steps) * smoothness
        stored = stored_worst_case(rule, matrix) if solver != ALWAYS else None
        if stored is not None and mu == 0:
            return stored
        if asked:
            return performance_estimation.solve(matrix, 1.0, mu / smoothness)
        if stored is not None:  # it is of mu = 0, so it is a bound here
            source = f"{stored.source}; the worst case for mu = 0"
            return stored._replace(source=source, exact=False)
    if proven is None:
        wanted = f"has no bound in closed form for {steps} steps here: pip install 'gdexp[pep]'"
        wanted += f", with at most {SHORT} steps, or certify.solver=always"
        raise BadInput("optimizer", f"{rule.name}, lr={getattr(rule, 'lr', None)}", wanted)
    return proven


def _floor(steps: int, mu: float) -> tuple[float, str] | None:
    """Return what no method can promise less than over convex functions; None where not known."""
    if mu == 0:
        return floor_of_convex(steps) if steps else (0.5, "the definition of L")
    if steps > MOST_STEPS:
        return None  # it takes too long to compute
    return (
        floor_of_quadratics(steps, mu, 1.0),
        "a bound on the least worst case over quadratics, which are among the functions",
    )


def _assumptions(
    functions: str, smoothness: float, mu: float, distance: float, solved: bool
) -> tuple[str, ...]:
    kind = "quadratic" if functions == QUADRATIC else "convex"
    shape = f"{mu:g}-strongly {kind}" if mu > 0 and functions != QUADRATIC else kind
    what = f"f is {shape} with a {smoothness:g}-Lipschitz gradient, in any dimension"
    if functions == QUADRATIC:
        what = f"f is a quadratic with spectrum in [{mu:g}, {smoothness:g}], in any dimension"
    tolerance = (f"the solver is right to {ACCURACY:.0e} of the bound",) if solved else ()
    start = f"|x0 - x*| <= {distance:g} for a minimiser x*"
    return (what, start, "exact arithmetic", *tolerance)
