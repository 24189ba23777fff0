"""A row of a batch is, bit for bit, what it is alone."""

from __future__ import annotations

import pytest
import torch

from gdexp.problems.autograd import Autograd
from gdexp.problems.base import Problem, row_sum
from gdexp.problems.landscapes import Rastrigin
from gdexp.problems.matrix import Matrix
from gdexp.problems.problem_check import check_problem
from gdexp.problems.quadratic import Quadratic
from gdexp.problems.transformed import Transformed
from tests.support.long_form import share

SIZES = (1, 2, 3, 7, 16, 100, 1000)


def of_size(n: int) -> list[Problem]:
    ones = [1.0] * n
    return [
        Quadratic(spectrum=torch.linspace(0.1, 1, n, dtype=torch.float64)),
        Rastrigin(dimension=n),
        Matrix(target=ones),
        Autograd(x0=ones),
        Transformed(Rastrigin(dimension=n), shift=0.3),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("n", SIZES)
def test_rows_equal_alone_at_every_size(n: int) -> None:
    threads = (1, 2) if n == max(SIZES) else (1,)  # which share nothing smaller
    for problem in of_size(n):
        assert problem.batchable
        check_problem(problem, seeds=(0,), batches=(1, 7, share(64, 3)), threads=threads)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("n", [4095, 4096, 4097, 32769, 70001])
def test_a_long_sum_has_the_same_bits_in_any_company(n: int, dtype: torch.dtype) -> None:
    values = torch.rand(9, n, dtype=dtype, generator=torch.Generator().manual_seed(n))
    before = torch.get_num_threads()
    sums = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            sums += [row_sum(values), torch.stack([row_sum(row) for row in values])]
            sums.append(torch.cat([row_sum(values[:2]), row_sum(values[2:])]))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(sums[0], other) for other in sums)
    assert torch.allclose(sums[0], values.sum(1), rtol=1e-5)
