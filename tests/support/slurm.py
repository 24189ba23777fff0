"""A SLURM of the tests' own: one node, on this machine's loopback, gone without a trace."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.support.processes import addresses

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "sinfo", "scontrol")
LOOPBACK = "127.0.0.1"
SECONDS = 30
"""For a daemon to come up, or to go."""

CONFIGURED = """
ClusterName=tests
SlurmctldHost={host}({address})
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
AuthType=auth/munge
CryptoType=crypto/munge
# A job that is queued again waits until no credential of its last run is valid any more.
AuthInfo=socket={folder}/munge/socket,cred_expire=8
SlurmUser={user}
SlurmdUser={user}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
JobRequeue=1
ReturnToService=2
KillWait=10
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
# The node has what is said here, whatever the machine has.
SlurmdParameters=config_overrides
NodeName={host} NodeAddr={address} CPUs=5 RealMemory=5000 State=UNKNOWN
PartitionName=tests Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def installed() -> bool:
    """Whether this machine has all that a SLURM consists of."""
    return all(map(_program, PROGRAMS))


def _program(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


@dataclass(frozen=True)
class Slurm:
    """A SLURM that is up.

    Attributes:
        folder: of its own.
    """

    folder: Path

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables by which its commands find it."""
        return {"SLURM_CONF": str(self.folder / "slurm.conf")}

    def say(self, *command: str) -> str:
        """What one of its commands prints."""
        done = subprocess.run(
            command,
            env={**os.environ, **self.variables},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=True,
        )
        return done.stdout

    def jobs(self) -> dict[str, str]:
        """The state of every job that waits or runs, by its id."""
        lines = self.say("squeue", "--noheader", "--array", "--format=%i %T").splitlines()
        return dict(line.split() for line in lines)

    def processes(self) -> list[int]:
        """Whatever runs with its variables: daemons, steps, jobs."""
        mark = f"SLURM_CONF={self.folder}/slurm.conf".encode()
        return [pid for pid in _pids() if mark in _read(pid, "environ").split(b"\0")]

    def addresses(self) -> set[str]:
        """Where any of these listens, over TCP."""
        return addresses(self.processes())


@contextmanager
def slurm() -> Iterator[Slurm]:
    """A SLURM with one node of five cores, until the end."""
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="slurm-"))
        stack.callback(shutil.rmtree, folder)
        started = _described(folder)
        sockets = [f"--{each}-file={folder}/munge/{each}" for each in ("key", "pid", "log", "seed")]
        munged = ("munged", "--foreground", "--force", f"--socket={folder}/munge/socket", *sockets)
        for command in (munged, ("slurmctld", "-D"), ("slurmd", "-D")):
            stack.enter_context(_daemon(started, *command))
        stack.callback(_end_jobs, started)
        try:
            _wait(lambda: "idle" in started.say("sinfo", "--noheader", "--format=%T"))
        except TimeoutError as error:
            said = "\n".join(path.read_text()[-2000:] for path in folder.glob("*.said"))
            raise TimeoutError(said) from error
        yield started


def _described(folder: Path) -> Slurm:
    """What its programs read before they start."""
    folder.chmod(0o755)  # munge's socket is for everybody
    for name in ("munge", "state", "spool"):
        (folder / name).mkdir(mode=0o755)
    key = folder / "munge/key"
    key.touch(mode=0o600)
    key.write_bytes(secrets.token_bytes(1024))
    with socket.create_server((LOOPBACK, 0)) as one, socket.create_server((LOOPBACK, 0)) as two:
        ports = [each.getsockname()[1] for each in (one, two)]
    text = CONFIGURED.format(
        host=socket.gethostname().partition(".")[0],
        address=LOOPBACK,
        folder=folder,
        ports=ports,
        user=pwd.getpwuid(os.getuid()).pw_name,
    )
    (folder / "slurm.conf").write_text(text)
    return Slurm(folder)


@contextmanager
def _daemon(started: Slurm, name: str, *arguments: str) -> Iterator[None]:
    """One of its programs, until the end."""
    with (started.folder / f"{name}.said").open("w") as said:
        process = subprocess.Popen(
            [str(_program(name)), *arguments],
            env={**os.environ, **started.variables},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _end_jobs(started: Slurm) -> None:
    """Cancel all jobs, and wait until nothing of them is left."""
    started.say("scancel", "--quiet", "--me")
    _wait(lambda: not started.jobs())
    _wait(lambda: not any(b"slurmstepd" in _read(pid, "cmdline") for pid in started.processes()))


def _wait(reached: Callable[[], bool]) -> None:
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        with suppress(subprocess.CalledProcessError):  # nobody answers yet
            if reached():
                return
        time.sleep(0.1)
    raise TimeoutError("SLURM did not get there")


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _read(pid: int, name: str) -> bytes:
    """A file that the kernel keeps of a process; empty where the process is gone."""
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""
