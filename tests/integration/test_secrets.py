"""Secrets planted wherever gdexp reads are found nowhere that it writes or speaks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from mlflow import MlflowClient

from tests.integration.leaks import HERE, leaks, make_library, make_source, plant, secret
from tests.support.fork_server import CompletedCommand, ForkServer
from tests.support.postgres import postgres

SMALL = ("stopping.max_iterations=30", "problem=custom", "problem.shape=2", "optimizer.lr=0.1")
MADE = ("problem=custom", "problem.path=leaky.Unmade")
LOUD = ("hydra.verbose=true", "hydra/job_logging=default", "hydra/hydra_logging=default")
SWEEP = ("+sweep", "sweep.sampler=random", "stopping.max_iterations=3000")
TWO = "sweep.n_trials=2"


@dataclass(frozen=True)
class World:
    """Two folders to run in, and a PostgreSQL server with a password in its address.

    Attributes:
        run: a command in a folder, its words and its status checked.
        local: a folder with a store of its own.
        remote: a folder whose runs go to the server.
        server: the server's data.
        uri: its address, the password in it.
    """

    run: Callable[..., CompletedCommand]
    local: Path
    remote: Path
    server: Path
    uri: str

    @property
    def tracked(self) -> str:
        """The override that a person types for the server."""
        return f"tracking.uri='{self.uri}'"


@pytest.fixture(scope="module")
def world(ready: ForkServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    root = tmp_path_factory.mktemp("world")
    make_library(root / "library")
    source = make_source(root / "source")
    local, remote, server = root / "local", root / "remote", root / "server"
    local.mkdir()
    remote.mkdir()
    mine = root / "mine" / "experiment"
    mine.mkdir(parents=True)
    (mine / "kept.yaml").write_text("# @package _global_\nhydra:\n  output_subdir: .hydra\n")
    with postgres(server) as plain:
        uri = plain.replace("postgresql+psycopg", "postgresql").replace(
            "postgres:@", f"postgres:{secret('Password')}%40x@"
        )
        assert secret("Password") in uri
        environment = {
            "GDEXP_DEBUG": "1",
            "SERVICE_TOKEN": secret("Token"),
            "TRACKED": uri,
            "OMP_TOKEN": secret("Numeric"),
        }
        given = [environment, str(root / "library"), str(source)]

        def run(*line: str, cwd: Path, status: int = 0) -> CompletedCommand:
            words = [*line, "--config-dir", str(mine.parent)]
            done = ready.run(*words, cwd=cwd, before=f"{HERE}:{plant.__name__}", given=given)
            assert done.status == status, done.out + done.err
            assert not list(leaks((done.out + done.err).encode())), done
            assert not in_files(cwd)
            return done

        yield World(run, local, remote, server, uri)
        assert not in_files(server)


def in_files(folder: Path) -> list[str]:
    """Every secret in the files below a folder, with what is around it."""
    return [
        f"{path.relative_to(folder)}: {leak}"
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        for leak in leaks(path.read_bytes())
    ]


def artifact(folder: Path, name: str) -> str:
    """The newest artifact of this name that was stored in a folder."""
    found = sorted(folder.rglob(name), key=lambda path: path.stat().st_mtime)
    return found[-1].read_text()


def test_a_run_a_rerun_an_export_and_a_comparison_of_the_user_s_own_problem(world: World) -> None:
    world.run(*SMALL, "problem.path=leaky.fine", cwd=world.local)
    world.run("+rerun", "trust=[leaky.fine]", cwd=world.local)
    world.run("+export", "export.folder=exported", cwd=world.local)
    world.run("+compare", cwd=world.local)
    stored = artifact(world.local / "mlartifacts", "source.diff")
    assert "API_KEY=***" in stored
    assert '"password": ***' in stored
    assert "postgresql://***@host/db" in stored
    assert "API_KEY = ***" in artifact(world.local / "mlartifacts", "problem_source.txt")
    assert '"OMP_TOKEN": "***"' in artifact(world.local / "mlartifacts", "environment.json")


def test_a_sweep_and_a_rerun_of_its_best(world: World) -> None:
    line = (*SWEEP, TWO, "problem=custom", "problem.shape=2", "problem.path=leaky.fine")
    world.run(*line, "sweep.name=local", *LOUD, cwd=world.local)
    world.run("+rerun", "trust=[leaky.fine]", cwd=world.local)


@pytest.mark.parametrize("name", ["early", "late", "Unmade"])
@pytest.mark.parametrize("command", [(), (*SWEEP, TWO)], ids=["run", "sweep"])
def test_what_the_user_s_code_says_when_it_fails(
    world: World, name: str, command: tuple[str, ...]
) -> None:
    shape = ["problem.shape=2"] if name != "Unmade" else []
    line = ("problem=custom", *shape, f"problem.path=leaky.{name}", "optimizer.lr=0.1")
    line += ("engine=torch",)  # which calls the loss at each iteration
    line = (*command, *(word for word in line if not command or word != "optimizer.lr=0.1"))
    done = world.run(*line, cwd=world.local, status=1)
    error = next(text for text in done.err.splitlines() if text.startswith("gdexp: "))
    assert error.startswith(f"gdexp: error: problem=leaky.{name}: its code failed: ")
    assert "***" in error
    assert "Traceback" in done.err
    if name == "late":
        client = MlflowClient(tracking_uri=f"sqlite:///{world.local / 'mlflow.db'}")
        runs = client.search_runs(["1"], order_by=["attributes.start_time DESC"])
        assert runs[0].info.status == "FAILED"


def test_a_password_in_the_tracking_address_typed_or_from_the_environment(world: World) -> None:
    small = "stopping.max_iterations=30"
    typed = world.run(world.tracked, small, *LOUD, cwd=world.remote)
    assert "recorded" in typed.out
    world.run("tracking.uri=${oc.env:TRACKED}", small, cwd=world.remote)
    world.run(world.tracked, small, "experiment=kept", cwd=world.remote)
    assert "tracking.uri=" in artifact(world.remote, "overrides.yaml")
    world.run("+rerun", world.tracked, cwd=world.remote)
    world.run("+compare", "tracking.uri=${oc.env:TRACKED}", cwd=world.remote)
    world.run(world.tracked, "--cfg", "job", cwd=world.remote)
    world.run(world.tracked, "--cfg", "hydra", cwd=world.remote)
    of_the_job = f"+hydra.job.env_set.DB_PASS={secret('Job')}"
    shown = world.run(world.tracked, of_the_job, "--cfg", "all", cwd=world.remote)
    assert "DB_PASS: ***" in shown.out
    world.run(world.tracked, "--info", "all", cwd=world.remote)


def test_a_sweep_into_a_store_with_a_password(world: World) -> None:
    line = (*SWEEP, "sweep.name=remote", *LOUD)
    world.run(*line, TWO, world.tracked, "experiment=kept", cwd=world.remote)
    world.run(*line, "tracking.uri=${oc.env:TRACKED}", "sweep.n_trials=3", cwd=world.remote)
    world.run("+rerun", world.tracked, cwd=world.remote)


def test_a_study_in_a_database_with_a_password(world: World, tmp_path: Path) -> None:
    with psycopg.connect(world.uri, autocommit=True) as connection:
        connection.execute("CREATE DATABASE studies")  # MLflow's tables are in the other one
    other = world.tracked.replace("/postgres?", "/studies?")
    storage = other.replace("tracking.uri", "sweep.storage")
    world.run(*SWEEP, TWO, storage, *LOUD, cwd=tmp_path)
    world.run(*SWEEP, "sweep.n_trials=4", storage, "sweep.workers=2", cwd=tmp_path)


REFUSED = [
    ("tracking.experiment=${oc.env:SERVICE_TOKEN}", "tracking.experiment=***: is a text from the "),
    ("+problem.arguments.x=${oc.env:SERVICE_TOKEN}", "problem.arguments.x=***: is a text from the"),
    ("+optimizer.password=SECRET", "optimizer.password=***: looks like a secret"),
    ("+api_token=SECRET", "api_token=***: "),
    ("problem.arguments={api_key:SECRET}", "problem.arguments.api_key=***: looks like a secret"),
    ("+problem.arguments.token=SECRET", "problem.arguments.token=***: looks like a secret"),
    ("problem.arguments={url:'http://me:SECRET@host'}", "problem.arguments.url=***: holds what"),
    ("problem.arguments={a:[{dsn:'password=SECRET'}]}", "problem.arguments.a.dsn=***: holds what"),
    ("tracking.experiment='http://me:SECRET@host'", "tracking.experiment=***: holds what"),
    ("tracking.uri=mysql://me:SECRET@host/db", "tracking.uri=mysql://***@host/db: must be"),
    ("tracking.uri=http://me:SECRET@host/[", "tracking.uri=http://***@host/[: cannot be read"),
    ("+sweep sweep.storage=mysql://me:SECRET@host/db", "sweep.storage="),
    ("+sweep ++sweep.space.problem.arguments.token='choice(SECRET)'", "token=***: looks like"),
    ("-m problem.arguments={token:null} problem.arguments.token=SECRET,b", "token=***: looks like"),
    ("hydra.job.env_set.TOKEN=SECRET", "hydra.job.env_set.TOKEN=***: unknown key"),
]


@pytest.mark.parametrize(("line", "words"), REFUSED, ids=[line for line, _ in REFUSED])
def test_what_would_be_stored_is_refused_by_its_key_alone(
    world: World, line: str, words: str, tmp_path: Path
) -> None:
    given = line.replace("SECRET", secret("Typed")).split(" ")
    made = MADE if "problem.arguments" in line else ()
    done = world.run(*made, *given, cwd=tmp_path, status=2)
    assert words in done.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("scheme", ["http", "postgresql"])
def test_a_server_that_does_not_answer_keeps_its_password(
    world: World, scheme: str, tmp_path: Path
) -> None:
    uri = f"{scheme}://me:{secret('Unheard')}@127.0.0.1:9"
    done = world.run(f"tracking.uri={uri}", cwd=tmp_path, status=74)
    assert f"tracking.uri={scheme}://***@127.0.0.1:9: " in done.err
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_is_not_there_is_said_at_once(world: World, tmp_path: Path) -> None:
    other = world.tracked.replace("/postgres?", "/nowhere?")
    for line in ([other], [*SWEEP, other], ["+rerun", other]):
        done = world.run(*line, cwd=tmp_path, status=74)
        assert 'database "nowhere" does not exist' in done.err
    assert list(tmp_path.iterdir()) == []


def test_the_search_finds_a_secret_in_every_form_that_it_knows() -> None:
    import base64

    for before in range(3):
        for after in range(3):
            word = b"u" * before + secret("").encode() + b":" * after
            assert list(leaks(b"Authorization: Basic " + base64.b64encode(word)))
    assert list(leaks(f"http://me:{secret('x')}%40@host".encode()))
    assert list(leaks(secret("").encode().hex().encode()))
    assert not list(leaks(b"kestrel"))
