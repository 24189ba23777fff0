"""Linear regression, and logistic regression with a ridge, on real data.

The data come with scikit-learn and are loaded when a problem is made. Columns are standardised
to mean 0 and (population) standard deviation 1; the last column is ones, for the bias. Matrix
products round differently in a batch, so these problems run one at a time.
"""

from __future__ import annotations

from functools import cache

import torch
import torch.nn.functional as F

from gdexp.problems.base import Problem
from gdexp.problems.constants import ConstantFunctions
from gdexp.problems.facts import Part, consecutive_parts


class Ols(Problem):
    """`½ mean((A w − y)²)` on the diabetes data: 442 patients, 10 measurements and a bias.

    The target y is standardised too. Hessian AᵀA / 442, condition number 470.08; minimum
    0.241125788890. Starts at zero, where the loss is ½. Data: B. Efron, T. Hastie, I. Johnstone,
    R. Tibshirani, Least angle regression, 2004.

    Args:
        x0: the start, 11 numbers with the bias last; zeros by default.
    """

    name = "ols"
    features: torch.Tensor
    labels: torch.Tensor
    f_star = 0.24112578888982508  # normal equations solved with 40 digits

    def __init__(self, x0: object = None) -> None:
        self._set_constants()
        self.shape = (self.features.shape[1],)
        super().__init__(torch.zeros(self.shape, dtype=torch.float64) if x0 is None else x0)
        self.x_star = torch.linalg.lstsq(self.features, self.labels.unsqueeze(1)).solution[:, 0]
        hessian = self.features.T @ self.features / len(self.labels)
        eigenvalues = torch.linalg.eigvalsh(hessian)
        self.curvature = (float(eigenvalues[0]), float(eigenvalues[-1]))

    def loss(self, x: torch.Tensor) -> torch.Tensor:
        """Return half the mean squared error; x has shape (11,)."""
        return F.mse_loss(self.features @ x, self.labels) * 0.5

    def parts(self) -> list[Part]:
        """Return the weights and the bias."""
        return _weights_and_bias(self.shape[0])

    def nodes(self, x: torch.Tensor) -> list[tuple[str, torch.Tensor]]:
        """Return the predictions and the loss."""
        predictions = self.features @ x
        return [
            ("predictions", predictions),
            ("loss", F.mse_loss(predictions, self.labels) * 0.5),
        ]

    def _constants(self, functions: ConstantFunctions) -> dict[str, object]:
        return _diabetes(functions)


class Logistic(Problem):
    """Mean logistic loss plus `½ λ ‖w‖²` on the breast-cancer data: 569 tumours, 30 measurements.

    λ = 0.01 applies to the bias too, so the loss is strongly convex: all eigenvalues of its
    Hessian lie in [0.01, 3.3305] everywhere. Minimum 0.100446303781206. Starts at zero, where
    the loss is ln 2. Data: W. N. Street, W. H. Wolberg, O. L. Mangasarian, Nuclear feature
    extraction for breast tumor diagnosis, 1993.

    Args:
        x0: the start, 31 numbers with the bias last; zeros by default.
    """

    name = "logistic"
    features: torch.Tensor
    labels: torch.Tensor
    f_star = 0.10044630378120591  # evaluated with 40 digits at the root of the gradient
    RIDGE = 1e-2

    def __init__(self, x0: object = None) -> None:
        self._set_constants()
        self.shape = (self.features.shape[1],)
        super().__init__(torch.zeros(self.shape, dtype=torch.float64) if x0 is None else x0)
        self.x_star = self._newton()

    def loss(self, x: torch.Tensor) -> torch.Tensor:
        """Return the mean logistic loss with its penalty; x has shape (31,)."""
        return self._penalised(self.features @ x, x)

    def parts(self) -> list[Part]:
        """Return the weights and the bias."""
        return _weights_and_bias(self.shape[0])

    def nodes(self, x: torch.Tensor) -> list[tuple[str, torch.Tensor]]:
        """Return the log-odds and the loss."""
        log_odds = self.features @ x
        return [("log_odds", log_odds), ("loss", self._penalised(log_odds, x))]

    def _constants(self, functions: ConstantFunctions) -> dict[str, object]:
        return _tumours(functions)

    def _penalised(self, log_odds: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        fit = F.binary_cross_entropy_with_logits(log_odds, self.labels)
        return fit + 0.5 * self.RIDGE * x.dot(x)

    def _newton(self) -> torch.Tensor:
        """Return the minimiser: about ten full Newton steps from zero reach it up to rounding."""
        rows, columns = self.features.shape
        ridge = self.RIDGE * torch.eye(columns, dtype=torch.float64)
        w = torch.zeros(columns, dtype=torch.float64)
        for _ in range(25):
            p = torch.sigmoid(self.features @ w)
            gradient = self.features.T @ (p - self.labels) / rows + self.RIDGE * w
            hessian = (self.features.T * (p * (1 - p))) @ self.features / rows + ridge
            step = torch.linalg.solve(hessian, gradient)
            w = w - step
            if float(step.abs().max()) < 1e-14:
                break
        return w


def _weights_and_bias(n: int) -> list[Part]:
    return consecutive_parts([("weight", (n - 1,)), ("bias", (1,))])


@cache
def _diabetes(functions: ConstantFunctions) -> dict[str, object]:
    from sklearn.datasets import load_diabetes

    # scikit-learn's scaling has other last bits on other machines; the measurements have not.
    data = load_diabetes(scaled=not functions.portable)
    labels = functions.standardised(torch.from_numpy(data.target))
    return {"features": _design(data.data, functions), "labels": labels}


@cache
def _tumours(functions: ConstantFunctions) -> dict[str, object]:
    from sklearn.datasets import load_breast_cancer

    data = load_breast_cancer()
    labels = torch.from_numpy(data.target).to(torch.float64)
    return {"features": _design(data.data, functions), "labels": labels}


def _design(values: object, functions: ConstantFunctions) -> torch.Tensor:
    """Return the standardised columns and a column of ones; float64, (rows, columns + 1)."""
    columns = functions.standardised(torch.as_tensor(values, dtype=torch.float64))
    return torch.cat([columns, torch.ones(len(columns), 1, dtype=torch.float64)], dim=1)
