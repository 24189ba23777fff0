"""The sweep of another Hydra application, as Hydra starts it."""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from omegaconf import OmegaConf

from gdexp.core import (
    CommandExit,
    GdexpError,
    Interrupted,
    Process,
    StorageFailed,
    context_thread,
    mask_secrets,
    printable,
    streams,
)
from gdexp.sweeper.application import HydraApplication
from gdexp.sweeper.words import words
from gdexp.sweeper.worker_task import WorkerTask
from gdexp.sweeps import ORDER_VARIABLE, StartedBy, job_runner, run_sweep, worker_launcher

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
        process, descriptor, status = Process(), os.environ.pop(ORDER_VARIABLE, None), 0
        with streams.current() as own, process.current(arguments):
            try:
                with process.running():
                    application = HydraApplication(
                        self._settings, self._context, self._task, self._config, arguments
                    )
                    if descriptor is None:
                        self._drive(application)
                    else:
                        _obey(application, int(descriptor))
            except Interrupted as interrupted:
                status = interrupted.exit_status
                _say(f"interrupted: {interrupted}")
            except CommandExit as ended:
                status = ended.exit_status
            except GdexpError as error:
                status = error.exit_status
                _say(f"error: {words(str(error), self._renamed)}")
            except Exception as error:
                if descriptor is None:
                    raise
                status = 1
                _say_traceback()
                _say(f"error: {type(error).__name__}: {error}")
            if own.lost_output and not status:
                status = StorageFailed.exit_status
                _say(f"error: {streams.CLOSED}")
        if descriptor is not None:
            _leave(status)
        if status:
            sys.exit(status)

    @property
    def _renamed(self) -> dict[str, str]:
        """The key that a message is to name where the config limits the failures by a share."""
        by_share = self._settings.get("max_failure_rate") is not None
        return {"sweep.max_failures": "max_failure_rate"} if by_share else {}

    def _drive(self, application: HydraApplication) -> None:
        from hydra.core.plugins import Plugins

        launcher = Plugins.instance().instantiate_launcher(
            hydra_context=self._context, task_function=WorkerTask(application), config=self._config
        )
        run_sweep(application, worker_launcher(launcher, job_runner(launcher)))


def _obey(application: HydraApplication, descriptor: int) -> None:
    """Run the worker that the driver's order describes; end with the driver.

    The order is read without a buffer: one could not be closed while the thread reads.
    """
    line = b""
    while not line.endswith(b"\n"):
        line += os.read(descriptor, 1)

    def end_with_driver() -> None:
        while os.read(descriptor, 4096):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    context_thread(end_with_driver, "gdexp-driver").start()
    application.work(json.loads(line), StartedBy.DRIVER)


def _leave(status: int) -> NoReturn:
    """End a worker here: it does not go on to what the application does after its sweep."""
    for name in streams.NAMES:
        streams.own_stream(name).flush()
    os._exit(status)


def _say(message: str) -> None:
    """Print one line, and the traceback if GDEXP_DEBUG=1."""
    streams.own_stream("stdout").flush()
    line = printable(mask_secrets(" ".join(message.split())))
    print(f"gdexp: {line}", file=streams.own_stream("stderr"))
    if os.environ.get("GDEXP_DEBUG") == "1":
        _say_traceback()


def _say_traceback() -> None:
    """Print the traceback of the error that is handled, without secrets."""
    text = printable(mask_secrets(traceback.format_exc()))
    print(text, end="", file=streams.own_stream("stderr"))


def _plain(value: object) -> Any:  # noqa: ANN401
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
