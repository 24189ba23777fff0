"""Runs read back: equal to what was recorded, and nothing in a stored file is trusted."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow import MlflowClient

from gdexp import BadInput, Runs, TrackedRun, config, hitting_time, load_runs
from gdexp.experiment.experiment import Experiment
from gdexp.runs import run_search
from gdexp.runs.artifact_reader import ArtifactReader, UnreadableRun, read_config, read_trace
from gdexp.tracking.arrays import decode_array, read_array
from gdexp.tracking.record import Record, RunHeader, descent_record
from gdexp.tracking.settings import TrackingSettings
from gdexp.tracking.store import Store

CONFIG: config.Config = {
    "problem": {"name": "matrix", "target": None, "x0": None},
    "optimizer": {"name": "gd", "lr": 1.0},
    "stopping": {"threshold": 1e-5, "max_iterations": 1000},
    "seed": 0,
    "dtype": "float32",
    "device": "cpu",
}


def record(store: Store, opening: RunHeader, **values: object) -> str:
    """One descent recorded whole; returns its run id."""
    experiment = Experiment.from_config(config.with_values(CONFIG, values))
    run_id = store.start(opening)
    store.finish(run_id, descent_record(experiment, experiment.run()))
    return run_id


def swept(store: Store, *rates: float) -> tuple[str, list[str]]:
    """A sweep with one finished trial for each learning rate; its id and theirs."""
    parent = store.start(RunHeader(name="a sweep", kind="sweep"))
    children = [
        record(
            store,
            RunHeader(f"trial {i}", "trial", parent, {"gdexp.trial": str(i)}),
            **{"optimizer.lr": lr},
        )
        for i, lr in enumerate(rates)
    ]
    store.end(parent, "FINISHED")
    return parent, children


def made(trace: list[float], f_star: float = 0.0, **params: str) -> TrackedRun:
    """A run that is nowhere but here."""
    files = ArtifactReader()
    run = TrackedRun(
        run_id="a" * 32, name="", kind="run", state="FINISHED", params=params,
        metrics={"f_star": f_star}, tags={}, trial=None, parent=None, started=0,
        experiment_id="1", home="", _files=files, _minima={},
    )  # fmt: skip
    run.__dict__["trace"] = np.array(trace)
    return run


def opened(path: Path, read: Callable[[BinaryIO], Any]) -> Any:
    """What a function reads of a file."""
    with path.open("rb") as file:
        return read(file)


@pytest.mark.slow
def test_a_run_reads_back_as_it_was_recorded(here: Path) -> None:
    store = Store(TrackingSettings())
    experiment = Experiment.from_config(CONFIG)
    result = experiment.run()
    run_id = store.start(RunHeader(name="one", kind="run"))
    store.finish(run_id, descent_record(experiment, result))
    (run,) = load_runs(run_id)
    assert (run.run_id, run.name, run.kind, run.state) == (run_id, "one", "run", "FINISHED")
    assert run.status == "converged"
    assert run.config == CONFIG
    assert run.trace.tobytes() == result.trace.tobytes()
    assert run.final.tobytes() == result.final.numpy().tobytes()
    assert run.initial.dtype == np.float32
    assert run.hitting_time() == result.hitting_time == run.recorded_time
    assert run.iterations_to(1e-3) == result.iterations_to(1e-3)
    assert run.iterations == result.iterations
    assert run.values["optimizer.lr"] == 1.0
    assert run.why_not_comparable() is None
    assert run.experiment().run().trace.tobytes() == run.trace.tobytes()


@pytest.mark.slow
def test_a_frame_equals_what_mlflows_own_client_says(here: Path) -> None:
    store = Store(TrackingSettings())
    parent, children = swept(store, 0.5, 4.5, 9.5)
    frame = load_runs(parent).frame()
    assert frame["run_id"].tolist() == children
    client = MlflowClient(tracking_uri=f"sqlite:///{here}/mlflow.db")
    for _, row in frame.iterrows():
        run = client.get_run(row["run_id"])
        assert row["state"] == run.info.status
        assert row["status"] == run.data.tags["gdexp.status"]
        assert row["optimizer.lr"] == float(run.data.params["optimizer.lr"])
        assert {k: row[k] for k in run.data.metrics} == pytest.approx(run.data.metrics, nan_ok=True)
    assert set(run.data.params) | set(run.data.metrics) < set(frame.columns)


@pytest.mark.slow
def test_a_sweep_stands_for_its_trials_and_none_for_the_newest_sweep(here: Path) -> None:
    store = Store(TrackingSettings())
    record(store, RunHeader("alone", "run"))
    assert [run.name for run in load_runs()] == ["alone"]
    _, old = swept(store, 1.0)
    parent, new = swept(store, 2.0, 4.5)
    found = load_runs()
    assert [run.run_id for run in found] == new
    assert [run.trial for run in found] == [0, 1]
    assert found.sweep is not None
    assert found.sweep.run_id == parent
    assert found.best is not None
    assert found.best.run_id == new[1]
    assert [run.run_id for run in load_runs([old[0], parent])] == [*old, *new]
    assert [run.run_id for run in load_runs(new[0][:8])] == [new[0]]
    assert isinstance(found[:1], Runs)
    for place in ("mlflow.db", here / "mlflow.db", "sqlite:///mlflow.db"):
        assert [run.run_id for run in load_runs(tracking=place)] == new
        assert [run.run_id for run in load_runs(uri=place)] == new
    with pytest.raises(BadInput, match="earlier name of tracking"):
        load_runs(tracking="mlflow.db", uri="mlflow.db")


def test_a_trial_of_several_seeds_stands_for_their_runs(here: Path) -> None:
    store = Store(TrackingSettings())
    parent = store.start(RunHeader("seeds", "sweep"))
    wanted = []
    for number in (0, 1):
        trial = store.start(RunHeader(f"{number}", "trial", parent, {"gdexp.trial": str(number)}))
        wanted += [record(store, RunHeader("s", "seed", trial), seed=seed) for seed in (0, 1, 2)]
        store.finish(trial, Record(metrics={"iterations": 5.0}))
    store.end(parent, "FINISHED")
    found = load_runs(parent)
    assert [run.run_id for run in found] == wanted
    assert [run.trial for run in found] == [0, 0, 0, 1, 1, 1]
    assert [run.run_id for run in load_runs(trial)] == wanted[3:]


def test_a_thousand_children_take_one_search_a_page(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(TrackingSettings())
    parent, children = swept(store, 1.0, 2.0, 3.0, 4.0)
    calls: list[str] = []
    real = MlflowClient.search_runs

    def counted(self: MlflowClient, *args: object, **kwargs: object) -> object:
        calls.append("search")
        return real(self, *args, **kwargs)

    monkeypatch.setattr(MlflowClient, "search_runs", counted)
    monkeypatch.setattr(
        MlflowClient, "download_artifacts", lambda *_: pytest.fail("an array was read")
    )
    found = load_runs([parent])
    assert len(found) == len(children)
    # The sweep's own run is found by its id; its trials by one search, their seeds by another.
    assert len(calls) == 2
    assert not any("trace" in run.__dict__ for run in found)


@pytest.mark.slow
@pytest.mark.parametrize("wanted", ["ffffffff", "f" * 32, "no such run", "", 7])
def test_an_unknown_run_is_refused_with_how_to_find_one(here: Path, wanted: str) -> None:
    run_id = record(Store(TrackingSettings()), RunHeader("alone", "run"))
    with pytest.raises(BadInput, match=rf"runs=.*{run_id[:8]} \(alone\).*mlflow runs list"):
        load_runs(wanted)


def test_a_prefix_of_several_runs_is_refused(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = Store(TrackingSettings()).client
    known: dict[str, str] = {}
    while True:  # until two of them begin alike
        run_id = client.create_run("1").info.run_id
        other = known.setdefault(run_id[:1], run_id)
        if other != run_id:
            break
    # One digit is too few for a user; here it spares sixty-five thousand runs.
    monkeypatch.setattr(run_search, "PREFIX", re.compile("[0-9a-f]{1,31}"))
    monkeypatch.setattr(run_search, "RUN_ID", re.compile("[0-9a-f]{1,32}"))
    with pytest.raises(BadInput, match="begins several run ids"):
        load_runs(run_id[:1])


def test_reading_creates_neither_database_nor_experiment(here: Path) -> None:
    with pytest.raises(BadInput, match="holds no runs yet"):
        load_runs()
    assert list(here.iterdir()) == []
    store = Store(TrackingSettings())
    with pytest.raises(BadInput, match="no such experiment"):
        load_runs(experiment="another")
    assert store.client.get_experiment_by_name("another") is None


def test_a_deleted_run_is_refused(here: Path) -> None:
    store = Store(TrackingSettings())
    run_id = record(store, RunHeader("alone", "run"))
    store.client.delete_run(run_id)
    with pytest.raises(BadInput, match="was deleted"):
        load_runs(run_id)


def test_runs_that_cannot_be_compared_say_why(here: Path) -> None:
    store = Store(TrackingSettings())
    client = store.client
    running = store.start(RunHeader("one", "run"))
    failed = store.start(RunHeader("two", "run"))
    store.end(failed, "FAILED")
    foreign = client.create_run(store.experiment_id).info.run_id
    client.log_metric(foreign, "accuracy", 0.5)
    client.set_terminated(foreign)
    reasons = {run.run_id: run.why_not_comparable() for run in load_runs()}
    assert reasons[running] == "is still running"
    assert reasons[failed] == "ended FAILED"
    assert reasons[foreign] == "holds no trace.npy (not recorded by gdexp)"


@given(
    st.lists(st.floats(1e-12, 1e3), min_size=1, max_size=30),
    st.lists(st.floats(1e-10, 1e2), min_size=1, max_size=6),
)
def test_hitting_times_at_many_thresholds_are_those_at_each(
    trace: list[float], thresholds: list[float]
) -> None:
    run = made(trace)
    each = [hitting_time(run.trace, threshold) for threshold in thresholds]
    assert run.hitting_times(thresholds) == each
    for threshold, time in zip(thresholds, each, strict=True):
        count = run.iterations_to(threshold)
        assert count == (None if time is None else math.ceil(time))


def test_thresholds_are_measured_from_the_problems_minimum(here: Path) -> None:
    store = Store(TrackingSettings())
    run_id = store.start(RunHeader("a", "run"))
    values = {
        **CONFIG,
        "problem": {"name": "autograd", "x0": None},
        "optimizer": {"name": "gd", "lr": 0.1},
    }
    experiment = Experiment.from_config(values)
    result = experiment.run()
    store.finish(run_id, descent_record(experiment, result))
    (run,) = load_runs(run_id)
    assert run.f_star == -16.0
    assert run.iterations_to() == result.iterations


def test_an_unknown_minimum_is_zero_only_where_the_record_goes_with_it() -> None:
    trace = [1.0, 0.5, 0.25, 0.125]
    params = {"problem.name": '"custom"', "stopping.threshold": "0.2"}
    plain = made(trace, **params)
    expected = hitting_time(np.array(trace), 0.2)
    assert expected is not None
    object.__setattr__(plain, "metrics", {"hitting_time": expected})
    object.__setattr__(plain, "tags", {"gdexp.status": "converged"})
    assert plain.f_star == 0.0
    shifted = made([value - 3 for value in trace], **params)
    object.__setattr__(shifted, "metrics", {"hitting_time": expected})
    object.__setattr__(shifted, "tags", {"gdexp.status": "converged"})
    with pytest.raises(UnreadableRun, match="is not known here"):
        _ = shifted.f_star


def test_what_would_steer_a_terminal_is_not_shown(here: Path) -> None:
    store = Store(TrackingSettings())
    run_id = record(store, RunHeader("\x1b[2Jclear", "run", tags={"gdexp.status": "x"}))
    store.client.set_tag(run_id, "gdexp.status", "\x1b]0;title\x07")
    (run,) = load_runs(run_id)
    assert (run.name, run.status) == ("?[2Jclear", "?]0;title?")
    assert run.tags["gdexp.status"] == "\x1b]0;title\x07"
    with pytest.raises(BadInput) as error:
        load_runs("ffffffff")
    assert "\x1b" not in str(error.value)


def test_a_pickle_is_never_opened(tmp_path: Path) -> None:
    path = tmp_path / "trace.npy"
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="holds object"):
        opened(path, read_array)
    path.write_bytes(b"\x80\x04K*.")
    with pytest.raises(ValueError, match=r"no \.npy"):
        opened(path, read_array)


def test_a_header_that_promises_more_than_there_is_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "trace.npy"
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999,), }"
    padding = 118 - len(header) - 1
    path.write_bytes(b"\x93NUMPY\x01\x00\x76\x00" + header + b" " * padding + b"\n" + b"\0" * 64)
    files = ArtifactReader(verify=False)
    with pytest.raises(UnreadableRun, match="cannot be read"):
        files.read("a", tmp_path.as_uri(), "trace.npy", read_trace)


@pytest.mark.parametrize(
    "text",
    ["a: &x [1]\nb: *x\n", "!!python/object/apply:os.system ['true']\n", "[1, 2]\n", "[" * 5000],
)
def test_a_config_with_aliases_tags_or_endless_depth_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.yaml").write_text(text)
    files = ArtifactReader(verify=False)
    with pytest.raises(UnreadableRun, match="cannot be read"):
        files.read("a", tmp_path.as_uri(), "config.yaml", read_config)


def test_a_config_that_is_too_large_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("a: 1\n#" + "x" * 5_000_000)
    with pytest.raises(ValueError, match="larger than"):
        opened(tmp_path / "config.yaml", read_config)


@pytest.mark.parametrize("array", [np.zeros((2, 2)), np.zeros(0), np.zeros(3, dtype=int)])
def test_what_is_no_trace_is_refused(tmp_path: Path, array: np.ndarray) -> None:  # type: ignore[type-arg]
    np.save(tmp_path / "trace.npy", array)
    with pytest.raises(ValueError, match=r"is no loss trace|holds int64"):
        opened(tmp_path / "trace.npy", read_trace)


def test_a_large_array_in_column_order_keeps_its_numbers(tmp_path: Path) -> None:
    array = np.asfortranarray(np.arange(200_000.0).reshape(400, 500))
    np.save(tmp_path / "final.npy", array)
    read = opened(tmp_path / "final.npy", read_array)
    assert isinstance(read, np.memmap)
    assert np.array_equal(read, array)
    assert np.array_equal(decode_array((tmp_path / "final.npy").read_bytes()), array)


def test_a_long_trace_stays_in_its_file_and_is_the_same(tmp_path: Path) -> None:
    long = np.linspace(1, 0, 200_000)
    np.save(tmp_path / "trace.npy", long)
    trace = opened(tmp_path / "trace.npy", read_trace)
    assert isinstance(trace, np.memmap)
    assert trace.tobytes() == long.tobytes()
