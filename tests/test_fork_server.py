"""The process that the tests fork commands from, which all processes of the tests share."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from pathlib import Path

import pytest

from tests.support.commands import fork_server, start
from tests.support.fork_server import ForkServer


class Interrupted(BaseException):
    """What a handler of signals raises."""


def test_it_goes_on_when_who_asked_is_gone_before_the_answer(tmp_path: Path) -> None:
    running = start("--help", cwd=tmp_path)
    for order in ({"ended": running.pid}, {"ended": running.pid}):
        with socket.socket(socket.AF_UNIX) as killed:
            killed.connect(str(fork_server().address))
            killed.sendall(f"{json.dumps(order)}\n".encode())
    with socket.socket(socket.AF_UNIX) as killed:
        killed.connect(str(fork_server().address))
        killed.sendall(b'{"ended"')
    assert running.wait().status == 0


def test_it_keeps_the_status_that_nobody_heard(tmp_path: Path) -> None:
    running = start("--help", cwd=tmp_path)
    while running.written()[0] == "" or not _is_zombie(running.pid):
        time.sleep(0.01)
    with socket.socket(socket.AF_UNIX) as killed:
        killed.connect(str(fork_server().address))
        killed.sendall(f'{{"ended": {running.pid}}}\n'.encode())
        assert killed.recv(100) == b"0\n"
    assert running.wait().status == 0


def test_an_interrupted_question_leaves_no_answer_for_the_next(tmp_path: Path) -> None:
    (tmp_path / "sleeping.py").write_text("import time\ntime.sleep(600)\n")
    ended, sleeping = start("--help", cwd=tmp_path), start(cwd=tmp_path, module="sleeping")
    ended.wait()

    def interrupt(*received: object) -> None:
        raise Interrupted

    former = signal.signal(signal.SIGUSR1, interrupt)
    try:
        with ForkServer(tmp_path, address=fork_server().address) as server:
            for _ in range(20):
                timer = threading.Timer(0.01, os.kill, (os.getpid(), signal.SIGUSR1))
                timer.start()
                with pytest.raises(Interrupted):
                    _ask_until_interrupted(server, sleeping.pid)
                timer.join()
                assert server.ask({"ended": ended.pid}) == 0
    finally:
        signal.signal(signal.SIGUSR1, former)
        sleeping.kill()
        assert sleeping.wait().status == -signal.SIGKILL


def _ask_until_interrupted(server: ForkServer, pid: int) -> None:
    while True:
        assert server.ask({"ended": pid}) is None


def _is_zombie(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
