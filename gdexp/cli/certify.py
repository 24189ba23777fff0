"""`python -m gdexp +certify`: the worst case of a rule and schedule over a class of functions."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from gdexp.config import Config, construct
from gdexp.core import BadInput, json_output, validation
from gdexp.display import terminal
from gdexp.optimizers import build_rule
from gdexp.problems import build_problem
from gdexp.theory import Certificate
from gdexp.theory import certify as certificate


@dataclass(frozen=True)
class CertifySettings:
    """The config group `certify`.

    Args:
        steps: N, the updates, >= 0.
        smoothness: L, > 0; None: of the problem.
        strong_convexity: mu, from 0 to L; None: 0, or where L is the problem's, its mu.
        functions: `convex` or `quadratic`.
        distance: |x0 - x*|, > 0.
        solver: `auto`, `never` or `always`.
    """

    steps: int = 15
    smoothness: float | None = None
    strong_convexity: float | None = None
    functions: str = "convex"
    distance: float = 1.0
    solver: str = "auto"

    def __post_init__(self) -> None:
        if self.smoothness is not None:
            validation.positive("smoothness", self.smoothness)
        if self.strong_convexity is not None:
            validation.non_negative("strong_convexity", self.strong_convexity)


def certify(config: Config) -> None:
    """Print the worst case of the composed rule; nothing is run or recorded.

    Raises:
        BadInput: a value that cannot be used, or nothing is known of the rule.
        GdexpError: the solver is missing or fails.
    """
    settings = construct("certify", CertifySettings, config["certify"] or {})
    rule = build_rule(config["optimizer"])
    smoothness, mu = _curvature(settings, config)
    try:
        made = certificate(
            rule,
            settings.steps,
            smoothness=smoothness,
            strong_convexity=mu,
            functions=settings.functions,
            distance=settings.distance,
            solver=settings.solver,
        )
    except BadInput as error:
        here = "." not in error.key and error.key != "optimizer"
        raise (error.in_section("certify") if here else error) from None
    names = {"rule": rule.name, "lr": getattr(rule, "lr", None), "schedule": rule.schedule.name}
    json_output.answer(
        "certify",
        {**names, **asdict(made), "kind": made.kind, "measure": made.measure},
    )
    _print(made, f"{rule.name}, lr {names['lr']:g}, schedule {names['schedule']}")


def _curvature(settings: CertifySettings, config: Config) -> tuple[float, float]:
    """Return L and mu as given, or of the problem."""
    if settings.smoothness is not None:
        return settings.smoothness, settings.strong_convexity or 0.0
    problem = build_problem(config["problem"], [])
    if problem.curvature is None:
        wanted = f"must be a number: {problem.name} declares no curvature"
        raise BadInput("certify.smoothness", None, wanted)
    mu, top = problem.curvature
    return top, mu if settings.strong_convexity is None else settings.strong_convexity


def _print(made: Certificate, rule: str) -> None:
    relation = "worst case" if made.exact else "at most"
    proven = "a proven bound" if made.solver_gap is None else "a bound by a solver, rounded up"
    facts = [
        ("rule", f"{rule}, {made.steps:,} updates"),
        (relation, f"{made.stated_bound} = {made.measure}"),
        ("method", made.method),
        ("source", made.source),
        *(("assumes", each) for each in made.assumptions),
    ]
    if not made.exact:
        facts.insert(2, ("", f"{proven}; the worst case itself may be smaller"))
    if made.floor is not None:
        floor = f"{made.floor:.8g}: no {made.methods} can promise less here"
        facts += [("floor", floor), ("", f"{made.floor_source}")]
    terminal.print_facts(terminal.console(), [(k, terminal.escape_text(v)) for k, v in facts])
