"""Update rules and learning-rate schedules.

Seven rules are pure functions of point, gradient, state and coefficients; `torch` runs any class
of torch.optim in the same loop.
"""

from gdexp.optimizers.adaptive import Adagrad, Adam, AdamW, RMSprop
from gdexp.optimizers.base import State, Step, UpdateRule
from gdexp.optimizers.momentum import GradientDescent, Momentum, Nesterov
from gdexp.optimizers.own_rule import OwnRule
from gdexp.optimizers.registry import RULES, build_rule
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
    "Adagrad",
    "Adam",
    "AdamW",
    "Chebyshev",
    "Constant",
    "Cosine",
    "GradientDescent",
    "InverseEigenvalue",
    "InverseTime",
    "Momentum",
    "Nesterov",
    "OwnRule",
    "RMSprop",
    "Schedule",
    "Silver",
    "State",
    "StatefulStep",
    "Step",
    "StepDecay",
    "TorchOptimizer",
    "TorchSchedule",
    "UpdateRule",
    "Warmup",
    "WarmupCosine",
    "build_rule",
    "check_options",
    "needs_closure",
    "put_state",
    "silver_bound",
    "silver_worst",
    "stored_state",
    "switch_optimizer",
]
