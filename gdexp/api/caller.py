"""A call from Python: nothing of the caller's process is changed once it is over."""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gdexp.core import Interrupted, Process
from gdexp.display import terminal
from gdexp.tracking import quiet_mlflow


class _Turns:
    """One call at a time: what a call sets and puts back belongs to the whole process.

    Hydra's config, warnings, environment, search path and random generators are shared by all
    threads. A call of another thread waits; a call inside of a call, in the same thread, does not.
    """

    def __init__(self) -> None:
        self._turn = threading.RLock()
        os.register_at_fork(after_in_child=self._renewed)

    def _renewed(self) -> None:
        """Forget, in a forked child, a call of a thread that the child does not have."""
        self._turn = threading.RLock()

    @contextmanager
    def waited_for(self) -> Iterator[None]:
        """Wait until no other thread is inside of such a block, and run it."""
        turn = self._turn
        with turn:
            yield


_TURNS = _Turns()


@contextmanager
def called(progress: bool | None = None) -> Iterator[None]:
    """Run the block as a command of gdexp, and leave the caller's process as it was.

    Environment, filters of warnings, loggers, signal handlers, the search path and the settings
    and random generators of torch, numpy and Python are put back. A signal that ended the block
    is given to the caller: Ctrl-C as `KeyboardInterrupt`. A call of another thread waits.

    Args:
        progress: whether progress is shown; None: in a terminal and in a notebook.
    """
    with _TURNS.waited_for(), _unchanged_process(progress):
        yield


@contextmanager
def _unchanged_process(progress: bool | None) -> Iterator[None]:
    """Run the block as a command, and put all back at its end."""
    import optuna

    process, path, argv = Process(), [*sys.path], [*sys.argv]
    verbosity = optuna.logging.get_verbosity()
    try:
        with (
            _unchanged_torch(),
            quiet_mlflow(),
            terminal.called_from_python(progress),
            process.current(),
            process.running(patient=True),
        ):
            yield
    except Interrupted as interrupted:
        notes = "; ".join(getattr(interrupted, "__notes__", ()))
        if interrupted.number == signal.SIGINT:
            raise KeyboardInterrupt(notes) from None
        signal.raise_signal(interrupted.number)
        raise SystemExit(interrupted.exit_status) from None
    finally:
        optuna.logging.set_verbosity(verbosity)
        sys.path[:], sys.argv[:] = path, argv


@contextmanager
def _unchanged_torch() -> Iterator[None]:
    """Put back the settings of torch, and all random generators, at the end of the block."""
    import numpy as np
    import torch

    cuda: Any = torch.cuda
    cudnn: Any = torch.backends.cudnn
    threads, dtype = torch.get_num_threads(), torch.get_default_dtype()
    strict = torch.are_deterministic_algorithms_enabled()
    warn = torch.is_deterministic_algorithms_warn_only_enabled()
    precision = torch.get_float32_matmul_precision()
    flags = cudnn.deterministic, cudnn.benchmark
    on_gpu = cuda.get_rng_state_all() if cuda.is_initialized() else None
    states = torch.get_rng_state(), np.random.get_state(), random.getstate()
    try:
        yield
    finally:
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        torch.set_default_dtype(dtype)
        torch.use_deterministic_algorithms(strict, warn_only=warn)
        if torch.get_float32_matmul_precision() != precision:
            torch.set_float32_matmul_precision(precision)
        cudnn.deterministic, cudnn.benchmark = flags
        torch.set_rng_state(states[0])
        np.random.set_state(states[1])
        random.setstate(states[2])
        if on_gpu is not None:
            cuda.set_rng_state_all(on_gpu)
