from cubic import cubic
from smooth import log_cosh
from valley import Valley

from gdexp import FunctionProblem, check_problem


def test_my_problems() -> None:
    check_problem(Valley())
    check_problem(FunctionProblem(log_cosh, shape=2, f_star=0.0))
    check_problem(cubic())
