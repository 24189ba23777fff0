"""Sweeps whose study, runs or files are changed by somebody else while they run, or in between."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest
from mlflow import MlflowClient
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState, create_trial

from gdexp.cli.main import main
from gdexp.tracking.store import Store

PLAN = [
    "+sweep",
    "sweep.name=s",
    "sweep.sampler=random",
    "sweep.batch=1",
    "optimizer.lr=tag(log, interval(0.5, 5))",
    "stopping.threshold=1e-3",
]
SWEEP = [*PLAN, "sweep.n_trials=3"]
CONTINUES = "the same command continues"


def load(folder: Path) -> optuna.Study:
    storage = optuna.storages.JournalStorage(
        JournalFileBackend(str(folder / "sweeps/s/study.journal"))
    )
    return optuna.load_study(study_name="s", storage=storage)


def parent_of(folder: Path) -> str:
    return str(load(folder).user_attrs["gdexp.parent"])


def client_of(folder: Path) -> MlflowClient:
    return MlflowClient(f"sqlite:///{folder}/mlflow.db")


def delete_for_good(folder: Path, run_id: str) -> None:
    """Do what the UI's button and `mlflow gc` do."""
    client = client_of(folder)
    client.delete_run(run_id)
    client._tracking_client.store._hard_delete_run(run_id)


def at_write(
    monkeypatch: pytest.MonkeyPatch, number: int, change: Callable[[Path], object]
) -> None:
    """Make a change just before a write of the store, counted from 1."""
    write, calls = Store.write, [0]

    def changed(self: Store, *given: object, **named: object) -> None:
        calls[0] += 1
        if calls[0] == number:
            change(Path.cwd())
        write(self, *given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(Store, "write", changed)


def replace_journal(folder: Path) -> None:
    journal = folder / "sweeps/s/study.journal"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.with_name("other").write_bytes(b"".join(lines[:3]))
    journal.with_name("other").replace(journal)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("mlflow.db", lambda here: (here / "mlflow.db").unlink()),
        ("mlflow.db-wal", lambda here: (here / "mlflow.db-wal").unlink()),
        ("gdexp", lambda here: shutil.rmtree(here / "mlartifacts")),
        ("study.journal", lambda here: shutil.rmtree(here / "sweeps")),
        ("study.journal", replace_journal),
    ],
)
def test_a_store_that_is_taken_away_ends_the_sweep_with_74(
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    what: str,
    change: Callable[[Path], object],
) -> None:
    at_write(monkeypatch, 3, change)
    assert main(SWEEP) == 74
    printed = capsys.readouterr()
    assert what in printed.err
    assert "was deleted or replaced while it was in use" in printed.err
    assert CONTINUES not in printed.out
    assert "recorded" not in printed.out


@pytest.mark.slow
def test_a_study_that_is_taken_away_at_the_end_is_no_success(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import gdexp.sweeps.driver as driver

    monkeypatch.setattr(driver, "finish_sweep_run", lambda *given: shutil.rmtree(here / "sweeps"))
    assert main(SWEEP) == 74
    printed = capsys.readouterr()
    assert "was deleted or replaced" in printed.err
    assert "recorded" not in printed.out


@pytest.mark.slow
def test_a_sweep_whose_run_is_deleted_meanwhile_says_how_to_restore_it(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patch:
        at_write(patch, 2, lambda folder: client_of(folder).delete_run(parent_of(folder)))
        assert main(SWEEP) == 74
    printed, parent = capsys.readouterr(), parent_of(here)
    assert f"mlflow runs restore --run-id {parent} restores it; then the same" in printed.err
    assert CONTINUES not in printed.out
    assert main(SWEEP) == 2
    assert f"mlflow runs restore --run-id {parent} restores it" in capsys.readouterr().err
    client_of(here).restore_run(parent)
    assert main(SWEEP) == 0
    assert client_of(here).get_run(parent).info.status == "FINISHED"


@pytest.mark.slow
def test_a_sweep_whose_experiment_is_deleted_meanwhile_says_how_to_restore_it(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patch:
        at_write(patch, 2, lambda folder: client_of(folder).delete_experiment("1"))
        assert main(SWEEP) == 74
    restore = "mlflow experiments restore --experiment-id 1 restores it"
    printed = capsys.readouterr()
    assert restore in printed.err
    assert CONTINUES not in printed.out
    assert main(SWEEP) == 74
    assert restore in capsys.readouterr().err
    client_of(here).restore_experiment("1")
    assert main(SWEEP) == 0


@pytest.mark.slow
def test_a_sweep_whose_run_is_deleted_for_good_ends_and_promises_nothing(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patch:
        at_write(patch, 2, lambda folder: delete_for_good(folder, parent_of(folder)))
        assert main(SWEEP) == 74
    printed = capsys.readouterr()
    assert "was deleted for good; its trials are in sweeps/s/study.journal alone" in printed.err
    assert CONTINUES not in printed.out
    assert main(SWEEP) == 2
    assert "give another sweep.name" in capsys.readouterr().err


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sweep; tests use copies of it."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(SWEEP) == 0
    return folder


@pytest.fixture
def begun(made: Path, here: Path) -> Path:
    """The current directory, a copy of it."""
    return shutil.copytree(made, here, dirs_exist_ok=True)


@pytest.mark.slow
def test_a_trial_whose_run_is_deleted_for_good_still_counts(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(SWEEP) == 0
    best = client_of(here).get_run(parent_of(here)).data.tags["gdexp.best_run"]
    before = capsys.readouterr().out
    delete_for_good(here, best)
    assert main(SWEEP) == 0
    said = capsys.readouterr().out
    assert "It has no curve and no pictures: MLflow run" in said
    assert said.count("best") >= before.count("best")


def add_trial(folder: Path, value: float, rate: float = 1.0) -> None:
    ranges = load(folder).trials[0].distributions
    load(folder).add_trial(
        create_trial(params={"optimizer.lr": rate}, distributions=ranges, value=value)
    )


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_trial_that_the_user_adds_counts_and_never_wins(
    begun: Path, capsys: pytest.CaptureFixture[str], workers: int
) -> None:
    add_trial(begun, 0.001)
    assert main([*PLAN, "sweep.n_trials=5", f"sweep.workers={workers}"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "1 more that were added to the study (3): they count, and cannot win" in said
    assert "trials 4: 4 converged" in said
    trials = load(begun).get_trials(states=(TrialState.COMPLETE,))
    assert len(trials) == 5
    client = client_of(begun)
    table = client.download_artifacts(parent_of(begun), "trials.csv", str(begun))
    rows = list(csv.DictReader(Path(table).read_text().splitlines()))
    assert [row["trial"] for row in rows if row["status"] == "added"] == ["3"]
    assert client.get_run(parent_of(begun)).data.tags["gdexp.best_trial"] != "3"


@pytest.mark.slow
def test_a_trial_that_a_dashboard_ends_meanwhile_is_the_dashboards(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from gdexp.sweeps.worker.worker import Worker

    add, calls = Worker._add, [0]

    def added(self: Worker, trial: object) -> None:
        calls[0] += 1
        if calls[0] == 2:
            load(here).tell(trial.asked.number, 0.001)  # type: ignore[attr-defined]
        add(self, trial)  # type: ignore[arg-type]

    monkeypatch.setattr(Worker, "_add", added)
    assert main(SWEEP) == 0
    assert "1 more that were added to the study (1)" in capsys.readouterr().out
    runs = client_of(here).search_runs(["1"], "attributes.status = 'RUNNING'")
    assert not runs


@pytest.mark.slow
def test_a_trial_of_another_kind_is_refused_by_name(
    begun: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    load(begun).add_trial(
        create_trial(
            params={"optimizer.lr": "high"},
            distributions={"optimizer.lr": CategoricalDistribution(["low", "high"])},
            value=1.0,
        )
    )
    assert main([*PLAN, "sweep.n_trials=5"]) == 2
    assert "trial 3, which was added to this study, has another kind" in capsys.readouterr().err


@pytest.mark.slow
def test_a_trial_of_another_range_is_taken(begun: Path) -> None:
    load(begun).add_trial(
        create_trial(
            params={"optimizer.lr": 90.0, "note": 1.0},
            distributions={
                "optimizer.lr": FloatDistribution(0.5, 100.0, log=True),
                "note": FloatDistribution(0.0, 2.0),
            },
            value=1.0,
        )
    )
    assert main([*PLAN, "sweep.n_trials=5"]) == 0
