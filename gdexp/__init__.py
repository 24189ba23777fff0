"""How many gradient-descent iterations does a configuration need to reach a threshold?

The public names are listed here and loaded when first used, so that `import gdexp` and
`python -m gdexp --help` wait for neither torch nor mlflow.
"""

from __future__ import annotations

from gdexp.import_path import set_working_directory_last as _set_working_directory_last

_set_working_directory_last()

from importlib import import_module  # noqa: E402 (after the path is set)
from typing import TYPE_CHECKING, Any  # noqa: E402

from gdexp.version import __version__ as __version__  # noqa: E402

if TYPE_CHECKING:
    from gdexp import figures as figures
    from gdexp.api import RunComparison as RunComparison
    from gdexp.api import Study as Study
    from gdexp.api import StudyTrial as StudyTrial
    from gdexp.api import compare as compare
    from gdexp.api import compose as compose
    from gdexp.api import descend as descend
    from gdexp.api import log as log
    from gdexp.api import rerun as rerun
    from gdexp.api import sweep as sweep
    from gdexp.core import BadInput as BadInput
    from gdexp.core import GdexpError as GdexpError
    from gdexp.descent import BatchResult as BatchResult
    from gdexp.descent import Monitor as Monitor
    from gdexp.descent import Result as Result
    from gdexp.descent import Status as Status
    from gdexp.descent import Stopping as Stopping
    from gdexp.descent import descend_batch as descend_batch
    from gdexp.descent import hitting_time as hitting_time
    from gdexp.experiment import Experiment as Experiment
    from gdexp.optimizers import Adagrad as Adagrad
    from gdexp.optimizers import Adam as Adam
    from gdexp.optimizers import AdamW as AdamW
    from gdexp.optimizers import AdGD as AdGD
    from gdexp.optimizers import Armijo as Armijo
    from gdexp.optimizers import BarzilaiBorwein as BarzilaiBorwein
    from gdexp.optimizers import Chebyshev as Chebyshev
    from gdexp.optimizers import ChebyshevSemiIteration as ChebyshevSemiIteration
    from gdexp.optimizers import ConjugateGradients as ConjugateGradients
    from gdexp.optimizers import Constant as Constant
    from gdexp.optimizers import Cosine as Cosine
    from gdexp.optimizers import ExactLineSearch as ExactLineSearch
    from gdexp.optimizers import FastGradient as FastGradient
    from gdexp.optimizers import GradientDescent as GradientDescent
    from gdexp.optimizers import InverseEigenvalue as InverseEigenvalue
    from gdexp.optimizers import InverseTime as InverseTime
    from gdexp.optimizers import Momentum as Momentum
    from gdexp.optimizers import Nesterov as Nesterov
    from gdexp.optimizers import OptimalConstant as OptimalConstant
    from gdexp.optimizers import OptimizedGradient as OptimizedGradient
    from gdexp.optimizers import OptimizedGradientG as OptimizedGradientG
    from gdexp.optimizers import Polyak as Polyak
    from gdexp.optimizers import PolyakLevel as PolyakLevel
    from gdexp.optimizers import RMSprop as RMSprop
    from gdexp.optimizers import Schedule as Schedule
    from gdexp.optimizers import SearchingRule as SearchingRule
    from gdexp.optimizers import Silver as Silver
    from gdexp.optimizers import StepDecay as StepDecay
    from gdexp.optimizers import TorchOptimizer as TorchOptimizer
    from gdexp.optimizers import TorchSchedule as TorchSchedule
    from gdexp.optimizers import TripleMomentum as TripleMomentum
    from gdexp.optimizers import UpdateRule as UpdateRule
    from gdexp.optimizers import Warmup as Warmup
    from gdexp.optimizers import WarmupCosine as WarmupCosine
    from gdexp.optimizers import Wolfe as Wolfe
    from gdexp.problems import Autograd as Autograd
    from gdexp.problems import Bbob as Bbob
    from gdexp.problems import Beale as Beale
    from gdexp.problems import Booth as Booth
    from gdexp.problems import CheckFailed as CheckFailed
    from gdexp.problems import Factorization as Factorization
    from gdexp.problems import Function as Function
    from gdexp.problems import FunctionProblem as FunctionProblem
    from gdexp.problems import Himmelblau as Himmelblau
    from gdexp.problems import Hyperbola as Hyperbola
    from gdexp.problems import Logistic as Logistic
    from gdexp.problems import Matrix as Matrix
    from gdexp.problems import Matyas as Matyas
    from gdexp.problems import ModuleProblem as ModuleProblem
    from gdexp.problems import Ols as Ols
    from gdexp.problems import Problem as Problem
    from gdexp.problems import Quadratic as Quadratic
    from gdexp.problems import Rastrigin as Rastrigin
    from gdexp.problems import Rosenbrock as Rosenbrock
    from gdexp.problems import Transformed as Transformed
    from gdexp.problems import build_problem as build_problem
    from gdexp.problems import check_problem as check_problem
    from gdexp.problems import gradient_error as gradient_error
    from gdexp.reruns import Rerun as Rerun
    from gdexp.runs import Runs as Runs
    from gdexp.runs import TrackedRun as TrackedRun
    from gdexp.runs import load_runs as load_runs
    from gdexp.theory import Certificate as Certificate
    from gdexp.theory import best_lr as best_lr
    from gdexp.theory import certify as certify
    from gdexp.theory import distance_from_best as distance_from_best
    from gdexp.theory import exact_count as exact_count
    from gdexp.training import Checkpoint as Checkpoint
    from gdexp.training import Stopped as Stopped
    from gdexp.training import Training as Training
    from gdexp.training import TrainingResult as TrainingResult
    from gdexp.training import report as report


_HOME = {
    "FastGradient": "optimizers",
    "OptimalConstant": "optimizers",
    "OptimizedGradient": "optimizers",
    "OptimizedGradientG": "optimizers",
    "ChebyshevSemiIteration": "optimizers",
    "TripleMomentum": "optimizers",
    "ConjugateGradients": "optimizers",
    "ExactLineSearch": "optimizers",
    "Wolfe": "optimizers",
    "Armijo": "optimizers",
    "AdGD": "optimizers",
    "BarzilaiBorwein": "optimizers",
    "Polyak": "optimizers",
    "PolyakLevel": "optimizers",
    "SearchingRule": "optimizers",
    "Adagrad": "optimizers",
    "Adam": "optimizers",
    "AdamW": "optimizers",
    "Autograd": "problems",
    "BadInput": "core",
    "BatchResult": "descent",
    "Bbob": "problems",
    "Beale": "problems",
    "Booth": "problems",
    "Chebyshev": "optimizers",
    "Checkpoint": "training",
    "CheckFailed": "problems",
    "Constant": "optimizers",
    "Cosine": "optimizers",
    "Experiment": "experiment",
    "Factorization": "problems",
    "Function": "problems",
    "FunctionProblem": "problems",
    "GdexpError": "core",
    "GradientDescent": "optimizers",
    "Himmelblau": "problems",
    "Hyperbola": "problems",
    "InverseEigenvalue": "optimizers",
    "InverseTime": "optimizers",
    "Logistic": "problems",
    "Matrix": "problems",
    "Matyas": "problems",
    "ModuleProblem": "problems",
    "Momentum": "optimizers",
    "Monitor": "descent",
    "Nesterov": "optimizers",
    "Ols": "problems",
    "Problem": "problems",
    "Quadratic": "problems",
    "RMSprop": "optimizers",
    "Rastrigin": "problems",
    "Rerun": "reruns",
    "Result": "descent",
    "Rosenbrock": "problems",
    "RunComparison": "api",
    "Runs": "runs",
    "Schedule": "optimizers",
    "Silver": "optimizers",
    "Status": "descent",
    "StepDecay": "optimizers",
    "Study": "api",
    "StudyTrial": "api",
    "Stopped": "training",
    "Stopping": "descent",
    "TorchOptimizer": "optimizers",
    "TorchSchedule": "optimizers",
    "TrackedRun": "runs",
    "Training": "training",
    "TrainingResult": "training",
    "Transformed": "problems",
    "UpdateRule": "optimizers",
    "Warmup": "optimizers",
    "WarmupCosine": "optimizers",
    "Certificate": "theory",
    "best_lr": "theory",
    "certify": "theory",
    "build_problem": "problems",
    "check_problem": "problems",
    "compare": "api",
    "compose": "api",
    "descend": "api",
    "descend_batch": "descent",
    "distance_from_best": "theory",
    "exact_count": "theory",
    "gradient_error": "problems",
    "hitting_time": "descent",
    "load_runs": "runs",
    "log": "api",
    "report": "training",
    "rerun": "api",
    "sweep": "api",
}

__all__ = [*_HOME]


def __getattr__(name: str) -> Any:  # noqa: ANN401
    if name == "figures":
        return import_module(f"gdexp.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'gdexp' has no attribute {name!r}")
    return getattr(import_module(f"gdexp.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME, "figures"])
