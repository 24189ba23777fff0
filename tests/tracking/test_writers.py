"""Straight into the tables or through MLflow's client: what is read back is the same."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import sqlalchemy
from hypothesis import given
from hypothesis import strategies as st
from mlflow import MlflowClient

from gdexp.core.errors import StorageFailed
from gdexp.core.paths import keep_folder
from gdexp.descent.stopping import Trace
from gdexp.tracking.client_writer import ClientWriter
from gdexp.tracking.config_yaml import _dumped, config_yaml
from gdexp.tracking.downsampling import kept_iterations
from gdexp.tracking.mlflow_internals import engine_of
from gdexp.tracking.record import PlannedRun, Record, RunHeader
from gdexp.tracking.settings import TrackingSettings
from gdexp.tracking.sql_writer import GROUP, ROWS, SqlWriter
from gdexp.tracking.store import Store
from tests.support.long_form import share
from tests.support.postgres import postgres

if TYPE_CHECKING:
    Way = ClientWriter | SqlWriter

pytestmark = pytest.mark.server

INF, NAN = math.inf, math.nan
ODD: Trace = np.array([3.0, NAN, INF, -INF, -0.0, 0.0, 5e-324, 1.7976931348623157e308, 1 / 3, NAN])
RECORDS = [
    Record(),
    Record({"a": "1"}, {"m": 1.0}, np.array([1.0]), {"t": "x"}, {"f.txt": b"1"}),
    Record(
        {f"p.{i}": str(i) for i in range(130)} | {"long": "v" * 6000, "empty": "", "sign": "×\n'"},
        {"nan": NAN, "inf": INF, "-inf": -INF, "-0": -0.0, "int": 3, "log10/x": 1e-300},
        ODD,
        {f"t.{i}": "w" * i for i in range(110)} | {"mlflow.note.content": "**b**"},
        {"a.npy": b"\0\1", "folder/b.txt": b"b"},
    ),
    Record(trace=np.linspace(1, 0, 2345), metrics={"loss2": 0.5}),
    Record(trace=np.full(3, NAN), tags={"gdexp.version": "another"}),
]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def stored(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    """A store of either kind."""
    folder = tmp_path_factory.mktemp(request.param)
    with pytest.MonkeyPatch.context() as patch, keep_folder(folder):
        patch.chdir(folder)
        if request.param == "sqlite":
            yield Store(TrackingSettings(f"sqlite:///{folder}/mlflow.db"))
        else:
            with postgres(folder / "postgres") as uri:
                yield Store(TrackingSettings(uri))


def ways(store: Store, name: str, points: int | None = None) -> list[ClientWriter | SqlWriter]:
    """Both ways into new experiments of their own."""
    found: list[ClientWriter | SqlWriter] = []
    for kind in ("client", "tables"):
        location = f"{Path.cwd().as_uri()}/{name}-{kind}"
        known = store.client.create_experiment(f"{name}-{kind}", artifact_location=location)
        tables = store._access._tables
        assert tables is not None
        found.append(
            SqlWriter(tables, known, location, points)
            if kind == "tables"
            else ClientWriter(store.client, known, points)
        )
    return found


def everything(store: Store, experiment: str, run_id: str) -> dict[str, Any]:
    """All that MLflow says of a run, and its raw rows, without ids and times."""
    client = store.client
    run = client.get_run(run_id)
    began = run.info.start_time
    listed = [entry.path for entry in client.list_artifacts(run_id)]
    listed += [e.path for name in listed for e in client.list_artifacts(run_id, name)]
    files = {}
    for name in listed:
        path = Path(client.download_artifacts(run_id, name))
        if path.is_file():
            files[name] = path.read_bytes()
    history = {
        key: [
            (m.step, repr(m.value), m.timestamp - began)
            for m in client.get_metric_history(run_id, key)
        ]
        for key in run.data.metrics
    }
    info = dict(run.info)
    for key in ("run_id", "run_uuid", "experiment_id", "start_time", "artifact_uri"):
        info.pop(key, None)
    assert run.info.artifact_uri.endswith(f"/{run_id}/artifacts")
    if info["end_time"] is not None:
        assert info.pop("end_time") >= began
    rows = {}
    with engine_of(client).connect() as connection:
        for table, column in (
            *(("runs", "run_uuid"), ("tags", "run_uuid"), ("params", "run_uuid")),
            *(("metrics", "run_uuid"), ("latest_metrics", "run_uuid")),
        ):
            text = sqlalchemy.text(f"SELECT * FROM {table} WHERE {column} = '{run_id}'")
            rows[table] = sorted(
                repr(
                    {
                        key: value
                        for key, value in row._mapping.items()
                        if key not in ("run_uuid", "artifact_uri", "end_time", "experiment_id")
                        and not key.endswith("time")
                        and key != "timestamp"
                    }
                )
                for row in connection.execute(text)
            )
    return {
        "info": info,
        "metrics": {key: repr(value) for key, value in run.data.metrics.items()},
        "params": run.data.params,
        "tags": run.data.tags,
        "history": history,
        "files": files,
        "rows": rows,
    }


def written(
    way: ClientWriter | SqlWriter, runs: Sequence[tuple[str, Record]], status: str = "FINISHED"
) -> list[str]:
    """The ids of runs written together, every second one shown before."""
    pending = []
    for i, (name, record) in enumerate(runs):
        one = way.prepare(RunHeader(name, "trial", None, {"gdexp.trial": str(i)}))
        if i % 2:
            way.show(one)
        pending.append((one, record))
    way.write(pending, status)
    return [one.run_id for one, _ in pending]


def experiment_of(way: ClientWriter | SqlWriter) -> str:
    return str(way._experiment_id)


def test_files_are_beside_the_database_or_in_the_folder_of_the_command(stored: Store) -> None:
    assert stored.settings.artifacts("one") == f"{Path.cwd().as_uri()}/mlartifacts/one"


@pytest.mark.parametrize("status", ["FINISHED", "FAILED", "KILLED"])
def test_both_ways_leave_the_same(stored: Store, status: str) -> None:
    records = RECORDS if status == "FINISHED" else RECORDS[:2]
    runs = [(f"run {i}", record) for i, record in enumerate(records)]
    both = [(way, written(way, runs, status)) for way in ways(stored, f"same-{status}")]
    for slow, fast in zip(*(ids for _, ids in both), strict=True):
        (by_client, _), (by_tables, _) = both
        assert everything(stored, experiment_of(by_tables), fast) == everything(
            stored, experiment_of(by_client), slow
        )


@pytest.fixture(scope="module")
def searched(stored: Store) -> list[str]:
    """Two experiments with the same runs, written in both ways."""
    both = ways(stored, "search")
    for way in both:
        written(way, [(f"run {i}", record) for i, record in enumerate(RECORDS)])
    return [experiment_of(way) for way in both]


@pytest.mark.parametrize(
    ("condition", "order"),
    [
        ("metrics.m > 0.5", "metrics.m DESC"),
        ("params.a = '1'", "attributes.start_time ASC"),
        ("tags.t = 'x'", "tags.t ASC"),
        ("attributes.status = 'FINISHED'", "metrics.loss ASC"),
        ("attributes.run_name LIKE 'run%'", "params.a DESC"),
        ("metrics.inf > 1", "metrics.nan ASC"),
    ],
)
def test_searches_find_the_same(
    stored: Store, searched: list[str], condition: str, order: str
) -> None:
    found = []
    for experiment in searched:
        page = stored.client.search_runs(
            [experiment], condition, order_by=[order, "attributes.run_name ASC"]
        )
        found.append([run.info.run_name for run in page])
    assert found[0] == found[1]
    assert found[0]


def test_writing_again_changes_nothing(stored: Store) -> None:
    _, way = ways(stored, "again")
    assert isinstance(way, SqlWriter)
    pending = [(way.prepare(RunHeader("one", "run")), RECORDS[2])]
    way.write(pending)
    before = everything(stored, experiment_of(way), pending[0][0].run_id)
    pending[0][0].shown = False  # as one whose first answer was lost
    way.write(pending)
    assert everything(stored, experiment_of(way), pending[0][0].run_id) == before


def test_nothing_is_there_before_it_is_written_or_shown(stored: Store) -> None:
    _, way = ways(stored, "unseen")
    pending = way.prepare(RunHeader("one", "run"))
    assert not stored.client.search_runs([experiment_of(way)])
    way.show(pending)
    (run,) = stored.client.search_runs([experiment_of(way)])
    assert (run.info.run_id, run.info.status) == (pending.run_id, "RUNNING")


def test_a_record_that_mlflow_refuses_leaves_nothing(stored: Store) -> None:
    for way in ways(stored, "refused"):
        with pytest.raises(Exception, match="name"):
            way.write([(way.prepare(RunHeader("one", "run")), Record(metrics={"a\nb": 1.0}))])
        runs = stored.client.search_runs([experiment_of(way)])
        assert all(run.info.status != "FINISHED" for run in runs)


def test_a_trace_of_many_transactions_is_whole_and_finished_last(
    stored: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = share(ROWS, 40)
    monkeypatch.setattr("gdexp.tracking.sql_writer.ROWS", rows)
    _, way = ways(stored, "long")
    trace = np.geomspace(1, 1e-9, 2 * rows + 7)
    pending = way.prepare(RunHeader("long", "run"))
    way.write([(pending, Record({"a": "1"}, {"iterations": len(trace) - 1}, trace))])
    with engine_of(stored.client).connect() as connection:
        query = (
            "SELECT step, value FROM metrics WHERE run_uuid = '%s' AND key = 'loss' ORDER BY step"
        )
        rows = connection.execute(sqlalchemy.text(query % pending.run_id)).all()
    assert [step for step, _ in rows] == list(range(len(trace)))
    assert np.array_equal([value for _, value in rows], trace)
    run = stored.client.get_run(pending.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.metrics["loss"] == trace[-1]


@pytest.mark.parametrize(("groups", "more"), [(1, -1), (1, 0), (1, 1), (2, 0)])
def test_points_that_fill_their_statements_are_whole(stored: Store, groups: int, more: int) -> None:
    count = groups * GROUP + more
    _, way = ways(stored, f"groups{count}")
    trace = np.geomspace(1, 1e-9, count)
    (run_id,) = written(way, [("one", Record(trace=trace))])
    history = stored.client.get_metric_history(run_id, "loss")
    assert [each.value for each in sorted(history, key=lambda each: each.step)] == trace.tolist()


def test_thinned_histories_are_the_same_both_ways(stored: Store) -> None:
    trace = np.geomspace(1, 1e-9, 5000)
    counts = []
    for way in ways(stored, "thin", points=100):
        record = Record(trace=trace, levels=[1e-3, 1e-5])
        (run_id,) = written(way, [("one", record)])
        history = stored.client.get_metric_history(run_id, "loss")
        counts.append(sorted((m.step, m.value) for m in history))
    assert counts[0] == counts[1]
    assert len(counts[0]) == 100


def test_a_store_that_is_gone_is_one_error(tmp_path: Path) -> None:
    store = Store(TrackingSettings(f"sqlite:///{tmp_path}/mlflow.db"))
    pending = store.prepare(RunHeader("one", "run"))
    with engine_of(store.client).begin() as connection:
        connection.execute(sqlalchemy.text("DROP TABLE metrics"))
    with pytest.raises(StorageFailed, match=r"tracking\.uri="):
        store.write([(pending, RECORDS[1])])
    assert not MlflowClient(store.settings.mlflow_uri).search_runs([store.experiment_id])


def test_a_run_that_failed_unseen_is_seen_as_failed(tmp_path: Path) -> None:
    store = Store(TrackingSettings(f"sqlite:///{tmp_path}/mlflow.db"))
    failed, killed = (store.prepare(RunHeader(name, "trial")) for name in ("failed", "killed"))
    store.abandon(failed, "FAILED")
    store.abandon(killed, "KILLED")
    (run,) = store.client.search_runs([store.experiment_id])
    assert (run.info.run_name, run.info.status) == ("failed", "FAILED")
    assert run.info.end_time is not None


def test_a_pending_of_each_way_says_whether_it_is_there(stored: Store) -> None:
    by_client, by_tables = ways(stored, "pending")
    made = [way.prepare(RunHeader("one", "run")) for way in (by_client, by_tables)]
    assert [isinstance(one, PlannedRun) and one.shown for one in made] == [True, False]


losses = st.lists(
    st.floats(allow_nan=True, allow_infinity=True, width=32), min_size=1, max_size=400
).map(np.array)


@given(losses, st.integers(10, 200), st.lists(st.floats(-10, 10), max_size=3))
def test_thinning_keeps_what_matters(trace: Trace, points: int, levels: list[float]) -> None:
    kept = kept_iterations(trace, points, levels)
    assert list(kept) == sorted(set(kept.tolist()))
    assert kept[0] == 0
    assert kept[-1] == len(trace) - 1
    if len(trace) <= points:
        assert len(kept) == len(trace)
        return
    assert len(kept) >= points
    losses = trace[kept]
    if not np.isnan(trace).all():
        assert np.nanmin(losses) == np.nanmin(trace)
        assert np.nanmax(losses) == np.nanmax(trace)
    assert np.isnan(losses).any() == np.isnan(trace).any()
    crossings = 0
    for level in levels:
        within = trace <= level
        for k in np.flatnonzero(within[1:] != within[:-1]):
            assert {k, k + 1} <= set(kept.tolist())
            crossings += 2
        hits = np.flatnonzero(within)
        if len(hits):
            assert hits[0] in kept
    assert len(kept) <= max(points, 5 + crossings)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), values, max_size=5))
def test_a_stored_config_reads_back_equal(composed: dict[str, Any]) -> None:
    import yaml
    from omegaconf._utils import get_yaml_loader

    content = config_yaml(composed)
    assert yaml.safe_load(content) == composed
    assert yaml.load(content, get_yaml_loader()) == composed


words = st.text(st.characters(codec="ascii"), max_size=45) | st.sampled_from(
    ["yes", "no", "null", "~", "1e-5", "0x10", "1_000", "a: b", "- a", "#x", "x0", "2001-01-01"]
)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | words,
    lambda inner: st.dictionaries(words, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(words, plain, max_size=5))
def test_the_quick_way_writes_the_bytes_of_pyyaml(composed: dict[str, Any]) -> None:
    assert config_yaml(composed) == _dumped(composed)
