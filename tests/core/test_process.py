"""A process is one object: what it learns and changes ends with it, and its threads share it."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from gdexp.cli.main import main
from gdexp.core import signals
from gdexp.core.contexts import context_thread
from gdexp.core.errors import GdexpError
from gdexp.core.learned_secrets import MASK, learn_secret
from gdexp.core.paths import command_folder
from gdexp.core.process import Process
from gdexp.core.redaction import mask_secrets
from gdexp.core.signals import Interrupted
from gdexp.sweeps.worker.run_writer import RunWriter

CANARY = "correct-horse-42"


def changed_by_commands() -> dict[str, object]:
    """Everything of this process that a command changes while it runs."""
    from hydra.core import utils

    return {
        "handlers": [signal.getsignal(number) for number in signals.SIGNALS],
        "hook": sys.unraisablehook,
        "log records": logging.getLogRecordFactory(),
        "arguments": list(sys.argv),
        "Hydra's errors": os.environ.get("HYDRA_FULL_ERROR"),
        "Hydra's files": utils._save_config,
        "folder": Path.cwd(),
    }


@pytest.fixture
def environment_text(monkeypatch: pytest.MonkeyPatch) -> str:
    """An environment variable whose name looks harmless, read by a config."""
    monkeypatch.setenv("MY_CITY", CANARY)
    return "${oc.env:MY_CITY}"


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["+problems"], ["optimizer.lr=none"], ["--cfg", "job"]])
def test_a_command_inside_a_command_restores_everything(
    arguments: Sequence[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = changed_by_commands()
    process = Process()
    with process.current(), process.running():
        learn_secret(CANARY)
        inside = changed_by_commands()
        main(arguments)
        assert changed_by_commands() == inside
        assert mask_secrets(CANARY) == MASK
        assert command_folder() == tmp_path
    assert changed_by_commands() == before
    assert mask_secrets(CANARY) == CANARY


def test_a_variable_that_a_config_read_is_forgotten_at_the_end_of_the_command(
    environment_text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--cfg", "job", "--resolve", f"tracking.uri={environment_text}"]) == 0
    assert CANARY not in capsys.readouterr().out
    with Process().current():
        assert OmegaConf.create({"a": environment_text})["a"] == CANARY
        assert mask_secrets(CANARY) == CANARY


def test_outside_of_a_command_signals_and_secrets_do_nothing() -> None:
    learn_secret(CANARY)
    signals.check()
    with signals.shielded(), signals.ending():
        assert mask_secrets(CANARY) == CANARY
    assert command_folder() == Path.cwd()


def test_an_error_in_the_thread_that_writes_in_the_background_shows_no_secret() -> None:
    def write(runs: object) -> None:
        raise GdexpError(f"the server refused {CANARY}")

    with Process().current():
        learn_secret(CANARY)
        writing: RunWriter[int]
        with RunWriter(write, in_background=True) as writing:
            writing.write([], [])
            with pytest.raises(GdexpError, match="refused") as error:
                writing.finish()
    assert str(error.value) == f"the server refused {MASK}"


def test_a_thread_masks_what_its_command_learned() -> None:
    found = []
    with Process().current():
        learn_secret(CANARY)
        thread = context_thread(lambda: found.append(mask_secrets(CANARY)), "test")
        thread.start()
        thread.join()
    assert found == [MASK]


def test_the_logs_of_a_thread_with_no_context_are_masked(
    caplog: pytest.LogCaptureFixture,
) -> None:
    from threading import Thread

    with Process().current():
        learn_secret(CANARY)
        thread = Thread(target=lambda: logging.getLogger("library").error("with %s", CANARY))
        thread.start()
        thread.join()
    assert f"with {MASK}" in caplog.text
    assert CANARY not in caplog.text


def test_a_signal_inside_a_command_inside_a_command_is_the_inner_ones() -> None:
    outer, inner = Process(), Process()
    with outer.running():
        with pytest.raises(Interrupted), inner.running():
            signal.raise_signal(signal.SIGTERM)
        signals.check()  # nobody asked the outer one to end
        with signals.ending():
            signal.raise_signal(signal.SIGTERM)
        with pytest.raises(Interrupted):
            signals.check()


def in_child(work: Callable[[], object]) -> int:
    """The exit status of a forked child that does the work."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_the_signals_of_a_forked_child_are_not_counted_as_its_parents() -> None:
    def signalled_twice() -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda number, frame: None)
        for _ in range(3):
            signal.raise_signal(signal.SIGTERM)

    process = Process()
    with process.running():
        assert in_child(signalled_twice) == 0
        signals.check()
    signal_after = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(signal_after)
    assert signal_after == -1
