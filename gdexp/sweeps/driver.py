"""The sweep from outside: plan it, launch the workers, say what they found."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from gdexp import config
from gdexp.config import literal
from gdexp.core import BadInput, GdexpError, gc_control, signals
from gdexp.display import terminal
from gdexp.sweeps.cleanup import Reached, leaving
from gdexp.sweeps.launchers import Crew, Engine, LocalCrew, threads
from gdexp.sweeps.patience import Patience
from gdexp.sweeps.plan import Plan
from gdexp.sweeps.preview import preview
from gdexp.sweeps.results import Answers, begin, console, end, promoted, sweep_params
from gdexp.sweeps.settings import cores
from gdexp.sweeps.space import composed_space
from gdexp.sweeps.study import (
    PARENT,
    TOKEN,
    TrialRecord,
    begun,
    check_open,
    check_storage,
    finished,
    held,
    open_study,
    reported,
    settle,
    wait_for_others,
)
from gdexp.sweeps.supervisor import oversee
from gdexp.tracking import Record, RunHeader, Store, params

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override
    from omegaconf import DictConfig
    from optuna import Study

Compose = Callable[[list[str]], "DictConfig"]
Launch = Callable[[list[list[str]]], None]


def drive(arguments: list[str], compose: Compose, launch: Launch, engine: Engine | None) -> None:
    """Run a sweep to its last trial.

    Args:
        arguments: every override of the command line, ranges included.
        compose: overrides without ranges to a config.
        launch: runs the task function once for each list of overrides, in this process.
        engine: what starts workers through another launcher of Hydra's; None: this machine alone.

    Raises:
        BadInput: before anything is written.
        StorageFailed, StudyHeld: see there.
    """
    given = config.check_given(arguments)

    def composed(lines: list[str]) -> config.Config:
        made = config.plain(_without_hydra(compose(lines)))
        config.check_keys(made)
        return made

    base, space = composed_space(given, composed)
    plan = Plan.build(base, space)
    out = terminal.console()
    if plan.settings.preview:
        preview(out, plan)
        return
    if engine is not None:
        engine.check()
        check_open(plan)
    plan.tracking.preflight()
    check_storage(plan)

    console.announce(out, plan)
    with held(plan) as lock, leaving(out, plan) as reached, reported(plan.served):
        study, store, parent = _opened(plan, reached)
        again = settle(study, store, parent, plan.space)
        done = len(finished(study))
        console.resumed(out, plan, done, again)
        begin(plan, store, parent)
        began = time.monotonic()
        failed = None
        gc_control.begin()
        if _unfinished(plan, study) is None:
            lines, count = _for_worker(plan, given), plan.settings.crew
            if engine is None and count == 1:
                launch([lines])
            else:
                crew: Crew
                if engine is None:
                    crew = LocalCrew(composed(lines), count, threads(count, cores()), lock)
                else:
                    crew = engine.crew(lines, count, study.set_user_attr)
                oversee(out, plan, study, store, parent, crew)
                failed = crew.failure()
        ended = _ended(plan, study, time.monotonic() - began, failed)
        answers = promoted(plan, Answers.of(study, plan), store, parent)
        end(plan, answers, store, parent)
        console.answers(out, plan, answers, store, parent)
        if ended:
            out.print(f"\n{ended}")


def _opened(plan: Plan, reached: Reached) -> tuple[Study, Store, str]:
    """The study, the store, and the sweep's run in it, each new or continued.

    Args:
        plan: of the sweep, whose study is held.
        reached: what there is to be put in order from here on.
    """
    # A study that is there is looked at first: it may refuse, and then nothing is written.
    there = plan.served is not None or plan.journal.exists()
    known = open_study(plan) if there else None
    if known is not None:
        wait_for_others(known, plan.name)
        _check_store(plan, known)
    store = Store(plan.tracking)
    if store.warning:
        terminal.warning(store.warning)
    study = reached.study = known if known is not None else open_study(plan)
    with signals.shielded():  # whoever knows of the sweep's run can also end it
        parent = _parent(plan, study, store)
        reached.runs = store, parent
    return study, store, parent


def _parent(plan: Plan, study: Study, store: Store) -> str:
    """The sweep's own run, created with the study and remembered in it."""
    known = study.user_attrs.get(PARENT)
    if known is not None:
        if not store.has_run(str(known)):
            raise _strayed(plan)
        return str(known)
    token, run_id = begun(study, store)
    if run_id is None:
        tags = {"gdexp.study": plan.name, TOKEN: token}
        run_id = store.start(RunHeader(name=plan.name, kind="sweep", tags=tags))
    fixed = params(plan.definition()["config"])
    store.log_values(run_id, Record(params={**fixed, **sweep_params(plan)}))
    study.set_user_attr(PARENT, run_id)
    return run_id


def _check_store(plan: Plan, study: Study) -> None:
    """Refuse a study whose runs cannot be in the store, before an empty store is made."""
    database = plan.tracking.database
    if PARENT in study.user_attrs and database is not None and not database.exists():
        raise _strayed(plan)


def _strayed(plan: Plan) -> BadInput:
    return BadInput(
        "tracking.uri",
        plan.tracking.display_uri,
        f"does not hold the runs of study {plan.name}; name the store that does, or remove "
        f"{console.place(plan)}, or give another sweep.name",
    )


def _unfinished(plan: Plan, study: Study) -> str | None:
    """Why the study is to have no more trials; None when it is to have some."""
    trials = finished(study)
    if len(trials) >= plan.n_trials:
        return ""
    patience = Patience(plan.settings.patience, plan.pareto)
    for trial in trials:
        patience.add(TrialRecord.of(trial))
        if patience.over:
            return console.out_of_patience(plan, len(trials))
    return None


def _ended(plan: Plan, study: Study, seconds: float, failed: Exception | None) -> str:
    """Why the workers ended, in words where it was before the last trial.

    Raises:
        GdexpError: there was no reason: a launcher returns also when its worker failed.
        Exception: what failed, where there was one.
    """
    reason = _unfinished(plan, study)
    if reason is not None:
        return reason
    done = len(finished(study))
    if plan.settings.timeout is not None and seconds >= plan.settings.timeout:
        return console.out_of_time(plan, done)
    if failed is not None:
        raise failed
    raise GdexpError(
        f"sweep.name={plan.name}: the workers ended after {done} of {plan.n_trials} trials"
    )


def _for_worker(plan: Plan, given: Sequence[Override]) -> list[str]:
    """The overrides that a worker composes its config from; what is swept stands in the study."""
    filled = {
        "sweep.name": plan.name,
        "sweep.storage": plan.served or str(plan.journal),
        "sweep.n_trials": plan.n_trials,
        "sweep.sampler": plan.sampler.definition(),
        # As seen from here: a worker may stand in another folder.
        "tracking.uri": plan.tracking.mlflow_uri,
    }
    dropped = (*filled, *(f"{key}{end}" for key in config.OUTCOME_KEYS for end in (".", "/")))
    kept = [
        str(o.input_line)
        for o in given
        if not o.is_sweep_override()
        and not _key(o).startswith(dropped)
        and _key(o) not in config.OUTCOME_KEYS
    ]
    return [*kept, *(f"++{key}={literal(value)}" for key, value in filled.items())]


def _key(override: Override) -> str:
    return str(override.get_key_element()).lstrip("+~")


def _without_hydra(cfg: DictConfig) -> DictConfig:
    from omegaconf import open_dict

    with open_dict(cfg):
        del cfg["hydra"]
    return cfg
