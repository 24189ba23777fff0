import torch

from gdexp import Problem


class Valley(Problem):
    name = "valley"
    shape = (2,)
    f_star = 0.0

    def loss(self, x: torch.Tensor) -> torch.Tensor:
        return x[0] ** 2 + 25 * x[1] ** 2
