"""Update rules and learning-rate schedules.

Rules are pure functions of point, gradient, state and coefficients; those that search also read
the loss. `torch` runs any class of torch.optim in the same loop.
"""

from gdexp.optimizers.accelerated import (
    FastGradient,
    OptimizedGradient,
    OptimizedGradientG,
    nesterov_sequence,
    ogm_g_sequence,
)
from gdexp.optimizers.adaptive import Adagrad, Adam, AdamW, RMSprop
from gdexp.optimizers.base import SearchingRule, State, Step, UpdateRule
from gdexp.optimizers.conditioned import ChebyshevSemiIteration, TripleMomentum
from gdexp.optimizers.descent_directions import ConjugateGradients, ExactLineSearch, Wolfe
from gdexp.optimizers.line_search import Armijo
from gdexp.optimizers.local_curvature import AdGD, BarzilaiBorwein
from gdexp.optimizers.momentum import GradientDescent, Momentum, Nesterov
from gdexp.optimizers.optimal_constant import OptimalConstant, optimal_constant_step
from gdexp.optimizers.own_rule import OwnRule
from gdexp.optimizers.polyak import Polyak, PolyakLevel
from gdexp.optimizers.registry import RULES, build_rule
from gdexp.optimizers.schedule_registry import SCHEDULES
from gdexp.optimizers.schedules import (
    Chebyshev,
    Constant,
    Cosine,
    InverseEigenvalue,
    InverseTime,
    Schedule,
    StepDecay,
    Warmup,
)
from gdexp.optimizers.silver import Silver, silver_bound, silver_worst
from gdexp.optimizers.stateful_step import StatefulStep, needs_closure, switch_optimizer
from gdexp.optimizers.stored_state import put_state, stored_state
from gdexp.optimizers.torch_optim import TorchOptimizer, check_options
from gdexp.optimizers.torch_schedules import TorchSchedule
from gdexp.optimizers.warmup_cosine import WarmupCosine

__all__ = [
    "RULES",
    "SCHEDULES",
    "AdGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "Armijo",
    "BarzilaiBorwein",
    "Chebyshev",
    "ChebyshevSemiIteration",
    "ConjugateGradients",
    "Constant",
    "Cosine",
    "ExactLineSearch",
    "FastGradient",
    "GradientDescent",
    "InverseEigenvalue",
    "InverseTime",
    "Momentum",
    "Nesterov",
    "OptimalConstant",
    "OptimizedGradient",
    "OptimizedGradientG",
    "OwnRule",
    "Polyak",
    "PolyakLevel",
    "RMSprop",
    "Schedule",
    "SearchingRule",
    "Silver",
    "State",
    "StatefulStep",
    "Step",
    "StepDecay",
    "TorchOptimizer",
    "TorchSchedule",
    "TripleMomentum",
    "UpdateRule",
    "Warmup",
    "WarmupCosine",
    "Wolfe",
    "build_rule",
    "check_options",
    "needs_closure",
    "nesterov_sequence",
    "ogm_g_sequence",
    "optimal_constant_step",
    "put_state",
    "silver_bound",
    "silver_worst",
    "stored_state",
    "switch_optimizer",
]
