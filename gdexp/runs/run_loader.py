"""Find runs in MLflow and load them as `TrackedRun` objects.

The number of searches grows with the pages of results, not with the number of runs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from gdexp.core import BadInput, StorageFailed, printable_line, shown_path
from gdexp.runs.artifact_reader import ArtifactReader, UnreadableRun
from gdexp.runs.parents import Parents
from gdexp.runs.resumed_settings import decided_params
from gdexp.runs.run_list import Runs
from gdexp.runs.run_search import KIND, PARENT_TAG, RunSearch
from gdexp.runs.shard_runs import CHILDREN_TAG, runs_of_rows
from gdexp.runs.stored_texts import bounded_texts, stored_count, tagged_params
from gdexp.runs.tracked_run import TrackedRun
from gdexp.tracking import (
    ShardFolder,
    StoreLocation,
    TrackingSettings,
    absolute_address,
    local_folder,
    quiet_mlflow,
    tracking_settings,
    upload,
    write_files,
)

if TYPE_CHECKING:
    from mlflow.entities import Run

LONGEST_NAME = 500


def load_runs(
    runs: str | Sequence[str] | None = None,
    *,
    tracking: StoreLocation | None = None,
    uri: StoreLocation | None = None,
    experiment: str = "gdexp",
    verify: bool = True,
) -> Runs:
    """Load tracked runs as typed objects; nothing of the calling process is changed.

    ::

        from gdexp import load_runs

        runs = load_runs()  # of the newest sweep here
        print(runs.best.iterations_to(1e-6))
        runs.frame().plot.scatter("optimizer.lr", "iterations")

    Args:
        runs: a run id, at least its first four digits, or a list of those. The id of a sweep
            loads its trials, `SWEEP/NUMBER` one of them. None: the newest sweep, or all runs
            of the experiment if there is no sweep.
        tracking: the file or address of MLflow's store; None: that of `MLFLOW_TRACKING_URI`, or
            `mlflow.db` in the current directory.
        uri: the earlier name of `tracking`.
        experiment: the MLflow experiment; a complete run id is also found in other experiments.
        verify: whether each file is checked against its run's manifest when it is first used; a
            file that was altered raises `AlteredRun`. False is quicker for long traces.

    Raises:
        BadInput: there is no such store, experiment or run, or a prefix matches several runs.
        StorageFailed: the store cannot be read.
    """
    with quiet_mlflow():
        if tracking is not None and uri is not None:
            raise BadInput("uri", uri, "is the earlier name of tracking; give one of them")
        store = tracking_settings(uri if tracking is None else tracking, experiment)
        return RunLoader(store, verify).load(runs)


def _sweep_order(run: TrackedRun) -> tuple[int, int]:
    """Return the sort key of a descent in its sweep: trial number, then seed."""
    seed = stored_count(run.tags.get("gdexp.seed", ""))
    return -1 if run.trial is None else run.trial, -1 if seed is None else seed


class RunLoader:
    """Reads the runs of an MLflow experiment; creates neither the experiment nor runs.

    Args:
        settings: of the store and the experiment.
        verify: whether each file is checked against its run's manifest before it is used.

    Raises:
        BadInput: there is no store or no such experiment.
        StorageFailed: the store cannot be read or does not answer.
    """

    def __init__(self, settings: TrackingSettings, verify: bool = True) -> None:
        self.settings = settings
        self._verify = verify
        self._search = RunSearch(settings)
        self._readers: dict[str, ArtifactReader] = {}
        self._parents = Parents(self._search.client, self._run)
        self._minima: dict[tuple[tuple[str, str], ...], float | None] = {}

    def load(self, wanted: str | Sequence[str] | None = None, key: str = "runs") -> Runs:
        """Load the runs with the given ids; see `load_runs`.

        Args:
            wanted: ids, prefixes, or None.
            key: the config key that an error names.
        """
        if wanted is None:
            sweeps = self._search.runs(f"{KIND} = 'sweep'", newest="start_time", most=1)
            if not sweeps:
                return Runs(self._run(run) for run in self._search.runs(""))
            return self._stands_for(self._run(sweeps[0]))
        several = isinstance(wanted, Sequence) and not isinstance(wanted, str)
        names = list(wanted) if several else [wanted]
        found: dict[str, TrackedRun] = {}
        sweep: TrackedRun | None = None
        for name in names:
            if isinstance(name, str) and "/" in name:
                found |= {run.run_id: run for run in self._trial(name, key)}
                continue
            named = self._stands_for(self._run(self._search.find(name, key)))
            sweep = sweep or named.sweep
            found |= {run.run_id: run for run in named}
        return Runs(found.values(), sweep if len(set(names)) == 1 else None)

    def load_newest(self) -> Runs:
        """Load what a command without an id means: the newest sweep's runs, or the newest run."""
        newest = self._search.newest()
        return Runs(()) if newest is None else self._stands_for(self._run(newest))

    def _stands_for(self, run: TrackedRun) -> Runs:
        """Return the descents that a run stands for: those of a sweep, of a trial's seeds, its own.

        Args:
            run: of any kind.
        """
        if run.kind == "sweep":
            return Runs(self._of_sweep(run), run)
        children = self._children(run) if run.kind == "trial" else []
        return Runs([self._run(each, run.trial) for each in children] or [run])

    def run(self, name: str, key: str) -> TrackedRun:
        """Return the run with an id or its first digits, of any kind.

        Args:
            name: the id.
            key: the config key that an error names.
        """
        return self._run(self._search.find(name, key))

    def family(self, run: TrackedRun) -> list[TrackedRun]:
        """Return a run and all below it, children before their parents.

        Raises:
            StorageFailed: the files of one lie outside of the store.
        """
        below = [self._run(each) for each in self._children(run)]
        if run.kind == "sweep":  # a search for each of thousands of trials would take minutes
            ids = {each.run_id for each in below}
            condition = f"{KIND} = 'seed' AND attributes.start_time >= {run.started}"
            seeds = map(self._run, self._search.runs(condition, run.experiment_id))
            below = [*(each for each in seeds if each.parent in ids), *below]
        for each in (*below, run):
            try:
                self._reader(each.experiment_id).check_place(each.home)
            except UnreadableRun as error:
                raise StorageFailed(f"run {each.short}: {error}") from None
        return [*below, run]

    def delete(self, run_ids: Sequence[str]) -> None:
        """Delete runs on a server; it keeps their files."""
        with self._search.storage_errors():
            for run_id in run_ids:
                self._search.client.delete_run(run_id)

    def log_files(self, run: TrackedRun, folder: str, files: Mapping[str, bytes]) -> str:
        """Write files into a folder among the artifacts of a run; return the folder's address.

        Raises:
            StorageFailed: they cannot be written.
        """
        place = local_folder(run.home)
        with self._search.storage_errors():
            if place is not None:
                write_files(place / folder, files)
                return shown_path(place / folder)
            upload(lambda made: self._search.client.log_artifacts(run.run_id, made, folder), files)
            return f"{run.home}/{folder}"

    def _of_sweep(self, parent: TrackedRun) -> list[TrackedRun]:
        """Return the descents of a sweep; a trial of several seeds gives one run for each seed."""
        trials = [self._run(run) for run in self._children(parent)]
        by_id = {trial.run_id: trial for trial in trials}
        seeds: dict[str, list[TrackedRun]] = {}
        # All trials of a sweep have the same number of seeds, so one trial shows if there are runs
        # of seeds.
        finished = next((trial for trial in trials if trial.state == "FINISHED"), None)
        if finished is not None and self._children(finished, most=1):
            condition = f"{KIND} = 'seed' AND attributes.start_time >= {parent.started}"
            for run in self._search.runs(condition, parent.experiment_id):
                above = by_id.get(run.data.tags.get(PARENT_TAG, ""))
                if above is not None:
                    seeds.setdefault(above.run_id, []).append(self._run(run, above.trial))
        listed = [run for trial in trials for run in seeds.get(trial.run_id, [trial])]
        # A trial may be both a run and a row: take the run if it is finished, else the row.
        rows = self._rows(parent)
        in_rows = {row.trial for row in rows}
        runs = [run for run in listed if run.state == "FINISHED" or run.trial not in in_rows]
        in_runs = {run.trial for run in runs}
        merged = [*runs, *(row for row in rows if row.trial not in in_runs)]
        return sorted(merged, key=_sweep_order)

    def _rows(self, parent: TrackedRun, trials: Collection[int] | None = None) -> list[TrackedRun]:
        """Return the trials of a sweep that are rows of its shards."""
        if CHILDREN_TAG not in parent.tags:
            return []
        try:
            self._reader(parent.experiment_id).check_place(parent.home)
        except UnreadableRun as error:
            raise StorageFailed(f"sweep {parent.short}: {error}") from None
        found = self._search
        shards = ShardFolder(lambda: found.client, parent.run_id, parent.home, found.storage_errors)
        return runs_of_rows(parent, shards, self._minima, trials, self._verify)

    def _trial(self, name: str, key: str) -> list[TrackedRun]:
        """Return the descents of the trial `SWEEP/NUMBER`, or of the seed `SWEEP/NUMBER/SEED`."""
        sweep, *rest = name.split("/")
        if not 1 <= len(rest) <= 2 or not all(each.isdecimal() and each.isascii() for each in rest):
            raise BadInput(key, name, "must be SWEEP/NUMBER: a sweep's run id and a trial's number")
        parent = self._run(self._search.find(sweep, key))
        if parent.kind != "sweep":
            raise BadInput(key, name, f"run {parent.short} is no sweep, so it has no trials")
        number = int(rest[0])
        condition = f"tags.`{PARENT_TAG}` = '{parent.run_id}' AND tags.`gdexp.trial` = "
        runs = []
        for run in self._search.runs(f"{condition}'{number}'", parent.experiment_id):
            trial = self._run(run)
            if trial.state == "FINISHED":
                runs = [self._run(each, number) for each in self._children(trial)] or [trial]
        found = runs or self._rows(parent, {number})
        if len(rest) == 2:
            found = found[int(rest[1]) :][:1]
        if not found:
            raise BadInput(key, name, f"sweep {parent.short} has no finished trial of this number")
        return found

    def _children(self, run: TrackedRun, most: int | None = None) -> list[Run]:
        return self._search.children(run.run_id, run.experiment_id, most)

    def _run(self, run: Run, trial: int | None = None) -> TrackedRun:
        tags = bounded_texts(run.data.tags)
        params = {**tagged_params(tags), **bounded_texts(run.data.params)}
        number = stored_count(tags.get("gdexp.trial", ""))
        return TrackedRun(
            run_id=str(run.info.run_id),
            name=printable_line(str(run.info.run_name or "")[:LONGEST_NAME]),
            kind=tags.get("gdexp.kind", ""),
            state=str(run.info.status),
            params=decided_params(params, tags),
            metrics={str(key): float(value) for key, value in run.data.metrics.items()},
            tags=tags,
            trial=trial if number is None else number,
            parent=tags.get(PARENT_TAG),
            started=int(run.info.start_time or 0),
            experiment_id=str(run.info.experiment_id),
            home=absolute_address(str(run.info.artifact_uri or ""), self.settings.folder),
            _files=self._reader(str(run.info.experiment_id)),
            _minima=self._minima,
            _above=self._parents.find,
        )

    def _reader(self, experiment_id: str) -> ArtifactReader:
        """Return the reader of an experiment's files.

        In a SQLite store they lie beside the database, or where MLflow was told to keep the
        experiment's artifacts: an address in a database from elsewhere may name any folder.
        """
        reader = self._readers.get(experiment_id)
        if reader is None:
            folder, within = self.settings.folder, []
            if folder is not None:
                within.append(folder)
                with self._search.storage_errors():
                    location = self._search.client.get_experiment(experiment_id).artifact_location
                place = local_folder(absolute_address(str(location or ""), folder))
                if place is not None and len(place.parts) > 2:
                    within.append(place)
            reader = ArtifactReader(self._search.client, within, self._verify)
            self._readers[experiment_id] = reader
        return reader
