import torch
from torch import nn

from gdexp import ModuleProblem


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1))


def cubic() -> ModuleProblem:
    t = torch.linspace(-1, 1, 32).reshape(-1, 1)
    return ModuleProblem(network, inputs=t, targets=t**3, loss=nn.functional.smooth_l1_loss)
