"""The sweep of another Hydra application, as Hydra starts it."""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import IO, TYPE_CHECKING, Any, NoReturn

from omegaconf import OmegaConf

from gdexp.core import (
    CommandExit,
    GdexpError,
    Interrupted,
    Process,
    context_thread,
    mask_secrets,
    printable,
)
from gdexp.sweeper.application import HydraApplication
from gdexp.sweeper.words import words
from gdexp.sweeper.worker_task import WorkerTask
from gdexp.sweeps import ORDER_VARIABLE, StartedBy, job_failure, run_sweep, worker_launcher

if TYPE_CHECKING:
    from hydra.types import HydraContext, TaskFunction
    from omegaconf import DictConfig


class HydraSweep:
    """One sweep of an application's function, or one worker of it.

    Args:
        settings: the keys of `hydra.sweeper`.
        context: of Hydra.
        task: the application's function.
        config: as Hydra composed it.
    """

    def __init__(
        self,
        settings: Mapping[str, Any],
        context: HydraContext,
        task: TaskFunction,
        config: DictConfig,
    ) -> None:
        self._settings = {key: _plain(value) for key, value in settings.items()}
        self._context, self._task, self._config = context, task, config

    def run(self, arguments: list[str]) -> None:
        """Run the whole sweep, or this process's part of it.

        Raises:
            SystemExit: it did not end well, which one line says.
        """
        process = Process()
        descriptor = os.environ.pop(ORDER_VARIABLE, None)
        with process.current(arguments):
            try:
                with process.running():
                    application = HydraApplication(
                        self._settings, self._context, self._task, self._config, arguments
                    )
                    if descriptor is None:
                        self._drive(application)
                        return
                    _obey(application, int(descriptor))
            except Interrupted as interrupted:
                _end("interrupted", str(interrupted), interrupted.exit_status)
            except CommandExit as ended:
                sys.exit(ended.exit_status)
            except GdexpError as error:
                key = str(self._settings.get("max_failure_rate") is not None)
                renamed = {"sweep.max_failures": "max_failure_rate"} if key == "True" else {}
                _end("error", words(str(error), renamed), error.exit_status)
        sys.exit(0)  # a worker does not go on to what the application does after its sweep

    def _drive(self, application: HydraApplication) -> None:
        from hydra.core.plugins import Plugins

        launcher = Plugins.instance().instantiate_launcher(
            hydra_context=self._context, task_function=WorkerTask(application), config=self._config
        )

        def launch(overrides: list[list[str]]) -> None:
            for job in launcher.launch(overrides, initial_job_idx=0):
                if (failure := job_failure(job)) is not None:
                    raise failure

        run_sweep(application, worker_launcher(launcher, launch))


def _obey(application: HydraApplication, descriptor: int) -> None:
    """Run the worker that the driver's order describes; end with the driver."""
    with os.fdopen(descriptor, encoding="utf-8") as orders:
        order = json.loads(orders.readline())
        context_thread(_end_with(orders), "gdexp-driver").start()
        application.work(order, StartedBy.DRIVER)
        os._exit(_flushed())


def _end_with(orders: IO[str]) -> Callable[[], None]:
    """Return what sends this process SIGTERM when the driver ends."""

    def wait() -> None:
        while orders.read(4096):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    return wait


def _flushed() -> int:
    """Write what is buffered; return the status of a worker that did its work."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    return 0


def _end(kind: str, message: str, status: int) -> NoReturn:
    """Print one line, and the traceback if GDEXP_DEBUG=1; end with a status."""
    sys.stdout.flush()
    line = printable(mask_secrets(" ".join(message.split())))
    print(f"gdexp: {kind}: {line}", file=sys.stderr)
    if os.environ.get("GDEXP_DEBUG") == "1":
        print(printable(mask_secrets(traceback.format_exc())), end="", file=sys.stderr)
    sys.exit(status)


def _plain(value: object) -> Any:  # noqa: ANN401
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
