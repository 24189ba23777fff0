"""Sweeps of many trials against Optuna alone: its journal file, ask and tell of the same trials."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile

from benchmarks.measure import Figure, figure

RANDOM, LEARNING = 100_000, 2_000
GIGABYTE = 2**30


def run(rounds: int) -> list[Figure]:
    """Whole commands of random and of TPE trials, start taken off, each against Optuna alone."""
    del rounds  # one sweep of so many trials is a round
    random, random_alone = _pair("random", RANDOM, "best:100")
    tpe, tpe_alone = _pair("tpe", LEARNING, "best:100")
    return [
        figure(
            f"{RANDOM:,} random trials / Optuna alone",
            [random["seconds"] / random_alone["seconds"]],
            0.2,
            note=f"{random['seconds']:.0f} against {random_alone['seconds']:.0f} s",
        ),
        figure(f"peak memory of {RANDOM:,} random trials in GB", [random["peak"] / GIGABYTE], 1.0),
        figure(
            f"{LEARNING:,} TPE trials / Optuna alone",
            [tpe["seconds"] / tpe_alone["seconds"]],
            1.15,
            note=f"{tpe['seconds']:.0f} against {tpe_alone['seconds']:.0f} s",
        ),
    ]


def _pair(sampler: str, trials: int, children: str) -> tuple[dict[str, float], dict[str, float]]:
    """Return what the sweep and Optuna alone took."""
    with tempfile.TemporaryDirectory() as folder:
        ours = _child("ours", sampler, str(trials), children, folder=folder)
        alone = _child("alone", sampler, str(trials), children, folder=folder)
    return ours, alone


def _child(*arguments: str, folder: str) -> dict[str, float]:
    path = os.pathsep.join(map(os.path.abspath, sys.path))
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.many_trials", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return told


def _ours(sampler: str, trials: int, children: str) -> float:
    """Return the seconds of a sweep; a short one before it takes the start off."""
    import contextlib
    import io
    import time

    from gdexp.cli.main import main

    def swept(name: str, count: int) -> float:
        began = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            status = main(
                [
                    *("+sweep", f"sweep.name={name}", f"sweep.n_trials={count}"),
                    *(f"sweep.sampler={sampler}", f"tracking.children='{children}'"),
                    f"sweep.storage={name}.journal",
                ]
            )
        if status:
            raise RuntimeError(f"the sweep ended with status {status}")
        return time.perf_counter() - began

    swept("warm", 10)
    start = swept("start", 10)
    return swept("long", trials) - start


def _alone(sampler: str, trials: int) -> float:
    """Return the seconds in which Optuna asks for and tells the trials of the sweep."""
    import time

    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    kept = JournalStorage(JournalFileBackend("long.journal"))
    (summary,) = optuna.get_all_study_summaries(kept)
    study = optuna.load_study(study_name=summary.study_name, storage=kept)
    known = [(t.params, t.distributions, t.values) for t in study.get_trials(deepcopy=False)]
    own: optuna.samplers.BaseSampler = optuna.samplers.RandomSampler(seed=0)
    if sampler == "tpe":
        from gdexp.sweeps.sampling.tpe import tpe_sampler

        own = tpe_sampler({"seed": 0}, False, None)
    place = JournalStorage(JournalFileBackend("alone.journal"))
    made = optuna.create_study(storage=place, sampler=own, direction=study.direction)
    began = time.perf_counter()
    for _, distributions, values in known[:trials]:
        trial = made.ask(distributions)
        made.tell(trial, values)
    return time.perf_counter() - began


def _main(arguments: list[str]) -> None:
    import resource

    what, sampler, trials, children = arguments
    if what == "ours":
        seconds = _ours(sampler, int(trials), children)
    else:
        seconds = _alone(sampler, int(trials))
    peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"seconds": seconds, "peak": peak}))


if __name__ == "__main__":
    _main(sys.argv[1:])
