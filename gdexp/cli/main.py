"""One command: Hydra reads the arguments and calls it; an error is one line and a status."""

from __future__ import annotations

import io
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, redirect_stderr, redirect_stdout, suppress
from typing import TYPE_CHECKING

from gdexp.core import (
    FULL_DISK,
    BadInput,
    CommandExit,
    CommandFailed,
    GdexpError,
    Interrupted,
    Process,
    StorageFailed,
    WorkEnded,
    failure_reason,
    gc_control,
    json_output,
    lost_output,
    mask_secrets,
    printable,
    streams,
)

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from gdexp.config import Config


def main(arguments: Sequence[str] | None = None, process: Process | None = None) -> int:
    """Run one command; returns the exit status (0, 1, 2, 3, 4, 74, 75 or 128 + a signal).

    Args:
        arguments: of the command; None: those of this process.
        process: whose signals and secrets the command uses; None: new ones.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(
            stream, io.TextIOWrapper
        ):  # a × must not end a run when the encoding has none
            stream.reconfigure(errors="replace")
    process = process or Process()
    if {"--help", "-h", "--version"} & {*given}:
        return _print_about(given)
    with process.current(given):
        return _run(given, process)


def _run(given: Sequence[str], process: Process) -> int:
    """Run one command and print its answer; its errors become a line and an exit status."""
    with streams.current() as own, json_output.current() as answer:
        status = _status(given, process)
        own.put_back()
        try:
            status = answer.finish(status)
        except (OSError, StorageFailed) as error:
            return _report(error, given)
        if own.lost_output and not status:
            return _report(StorageFailed(streams.CLOSED), given)
        return status


def _print_about(given: Sequence[str]) -> int:
    """Print the help or the version; return the exit status."""
    from gdexp.cli.help import print_help
    from gdexp.version import __version__

    try:
        if {"--help", "-h"} & {*given}:
            print_help(given)
        else:
            print(f"gdexp {__version__}")
        sys.stdout.flush()
    except BrokenPipeError:
        lost_output()  # the reader has read enough
    except OSError as error:
        return _report(error, given)
    return 0


def _status(given: Sequence[str], process: Process) -> int:
    """Run one command; return its exit status."""
    from gdexp.config import asks_for_json, rewrite, typed_command

    try:
        with process.running((signal.SIGUSR1,)):
            if asks_for_json(given):  # an object is also printed of what cannot be composed
                json_output.begin(json_output.JSON, typed_command(given))
            _hydra(rewrite(given))
    except Interrupted as interrupted:
        return _print_error(str(interrupted), "interrupted", interrupted.exit_status)
    except CommandFailed as failed:
        if isinstance(failed.__cause__, CommandExit):
            return failed.__cause__.exit_status
        return _report(failed.__cause__ or failed, given)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1
    except BrokenPipeError:
        lost_output()  # the reader of our output left; nothing more can be said to it
        return 1
    except Exception as error:
        return _report(error, given, composing=True)
    return 0


def command(cfg: DictConfig) -> None:
    """Run the command that the composed config asks for."""
    from gdexp import config

    composed = config.plain(cfg)
    if "sweep" not in composed:
        asked = next((each for each in config.COMMANDS if each in composed), "run")
        json_output.begin(composed.get("output"), asked)  # a file may ask for it too
    config.parse_overrides(config.typed_overrides())
    config.check_keys(composed)
    if "sweep" in composed:
        from hydra.core.hydra_config import HydraConfig

        from gdexp.sweeps import run_launched_worker

        run_launched_worker(composed, HydraConfig.get())
        return
    run = _command(composed)
    gc_control.begin()
    run(composed)


def _command(composed: Config) -> Callable[[Config], object]:
    """Return the function of the command that a config asks for; import only its module."""
    if "rerun" in composed:
        from gdexp.cli.rerun import rerun

        return rerun
    if "compare" in composed:
        from gdexp.cli.compare import compare

        return compare
    if "export" in composed:
        from gdexp.cli.export import export

        return export
    if "inspect" in composed:
        from gdexp.cli.inspect import inspect

        return inspect
    if "certify" in composed:
        from gdexp.cli.certify import certify

        return certify
    if "problems" in composed:
        from gdexp.cli.problems import problems

        return problems
    if "delete" in composed:
        from gdexp.cli.delete import delete

        return delete
    if "resume" in composed:
        from gdexp.cli.resume import resume

        return resume
    if "benchmark" in composed:
        from gdexp.cli.benchmark import benchmark

        return benchmark
    from gdexp.cli.run import run_config

    return run_config


def _hydra(arguments: list[str]) -> None:
    """Let Hydra compose the config and call `command`; raise its errors."""
    import hydra

    from gdexp import config, hydra_plugins
    from gdexp.config import env_secrets, hydra_internals, only_shows

    hydra_plugins.register()
    failed: list[BaseException] = []
    driver = _process_id()

    def task(cfg: DictConfig) -> Exception | None:
        # Hydra prints every override of a task that raises, secrets among them. So an error is
        # returned, for the sweeper, and kept, for a run without a sweeper.
        try:
            command(cfg)
        except WorkEnded:
            raise
        except BaseException as error:  # what is no `Exception` comes from the user's code
            if _process_id() != driver:  # a launcher's process: its errors come back through it
                raise
            failed.append(error)
            return error if isinstance(error, Exception) else None
        return None

    before = (sys.argv, os.environ.get("HYDRA_FULL_ERROR"))
    sys.argv = [sys.argv[0], *arguments]
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        run = hydra.main(
            version_base="1.3", config_path=str(config.shipped()), config_name="config"
        )
        with (
            env_secrets.environment_learned(),
            hydra_internals.masked_config_files(),
            hydra_internals.mode_from_the_command(),
            config.checked_config_files(_warn),
            _masked_output() if only_shows(arguments) else nullcontext(),
        ):
            run(task)()
    except CommandFailed:
        if not failed:  # the error of a worker comes before the sweep's error about it
            raise
    finally:
        sys.argv = before[0]
        os.environ.pop("HYDRA_FULL_ERROR", None)
        if before[1] is not None:
            os.environ["HYDRA_FULL_ERROR"] = before[1]
    if failed:
        raise CommandFailed from failed[0]


def _warn(text: str) -> None:
    """Print a warning; the terminal's library is imported only then."""
    from gdexp.display import terminal

    terminal.print_warning(text)


def _process_id() -> tuple[str, int]:
    """Return what identifies this process among those of several machines."""
    return socket.gethostname(), os.getpid()


@contextmanager
def _masked_output() -> Iterator[None]:
    """Mask the secrets in what Hydra prints of a config or of itself."""
    said, complained = io.StringIO(), io.StringIO()
    try:
        with redirect_stdout(said), redirect_stderr(complained):
            yield
    except SystemExit:
        if complained.getvalue():
            raise BadInput("--package", "", complained.getvalue().strip()) from None
        raise
    else:
        print(printable(mask_secrets(complained.getvalue())), end="", file=sys.stderr)
    finally:
        print(printable(mask_secrets(said.getvalue().expandtabs())), end="")


def _open_closed_streams() -> None:
    """Open streams that were closed (`>&-`), else a database would get their numbers."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
            if getattr(sys, name) is None:
                mode = "w" if number else "r"
                setattr(sys, name, open(number, mode, closefd=False, encoding="utf-8"))  # noqa: SIM115


def _report(error: BaseException, given: Sequence[str], composing: bool = False) -> int:
    """Print an error, as one of gdexp's; return its exit status."""
    if isinstance(error, OSError) and (why := lost_output()):
        error = StorageFailed(f"standard output cannot be written: {why}")
    elif isinstance(error, OSError) and error.errno in FULL_DISK:
        error = StorageFailed(f"a write failed: {failure_reason(error)}")
    if not isinstance(error, GdexpError):
        from gdexp.config import as_gdexp_error

        error = as_gdexp_error(error, given, composing)
    refused = error.refused if isinstance(error, BadInput) else ()
    return _print_error(str(error), "error", error.exit_status, *refused)


def _print_error(
    message: str, kind: str, status: int, key: str | None = None, value: object = None
) -> int:
    """Print one line to stderr, and the traceback if GDEXP_DEBUG=1; return the status."""
    lost_output()
    said = printable(mask_secrets(" ".join(message.split())))
    json_output.fail(said if kind == "error" else f"{kind}: {said}", key, value)
    with suppress(OSError):  # the status says it too where standard error cannot be written
        stderr = streams.own_stream("stderr")
        print(f"gdexp: {kind}: {said}", file=stderr)
        if os.environ.get("GDEXP_DEBUG") == "1":
            print(printable(mask_secrets(traceback.format_exc())), end="", file=stderr)
    return status
