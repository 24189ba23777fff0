"""What the registries offer, by name, for parameters of tests: a registry's module imports torch.

`tests/test_names.py` compares these with the registries.
"""

LANDSCAPES = ("booth", "matyas", "rosenbrock", "beale", "himmelblau", "rastrigin", "hyperbola")
BATCHABLE_PROBLEMS = ("matrix", "autograd", "quadratic", *LANDSCAPES, "bbob")
PROBLEMS = (*BATCHABLE_PROBLEMS, "function", "ols", "logistic", "factorization")
KNOWN_MINIMUM = tuple(name for name in PROBLEMS if name != "function")
CONSTANT_HESSIAN = ("matrix", "autograd", "quadratic", "booth", "matyas", "ols")

BATCHABLE_RULES = ("gd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw")
PROVEN_RULES = (*("fast_gradient", "ogm", "ogm_g", "triple_momentum", "chebyshev_semi_iteration"),)
SEARCHING_RULES = (
    *("polyak", "polyak_level", "barzilai_borwein", "adgd", "armijo", "wolfe"),
    *("exact_line_search", "conjugate_gradients"),
)
RULES = (*BATCHABLE_RULES, *PROVEN_RULES, *SEARCHING_RULES, "torch")
TORCH_CLASSES = (
    *("ASGD", "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "LBFGS", "Muon"),
    *("NAdam", "RAdam", "RMSprop", "Rprop", "SGD"),
)
SCHEDULES = (
    *("constant", "inverse_time", "cosine", "step", "warmup", "warmup_cosine", "chebyshev"),
    *("inverse_eigenvalue", "silver", "optimal_constant"),
)
SAMPLERS = ("learning_rate", "tpe", "random", "qmc", "gp", "cmaes", "nsgaii")
STATUSES = (
    *("converged", "max_iterations", "diverged", "stalled", "capped"),
    *("below_minimum", "failed", "pruned", "plateau", "out_of_time", "max_epochs"),
    "finished",
)
