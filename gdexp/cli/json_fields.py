"""The fields of every command's JSON object: the reference and the tests are made from them.

A field has a kind, a meaning, and the fields of the objects that it holds, if it holds any. A kind
is `text`, `integer`, `number`, `boolean` or `object`; `object of KIND`, whose keys are names that
depend on the input; `list of KIND`; or `any`. `or null` after a kind says that there may be none. A
`number` that JSON lacks is one of the texts inf, -inf and nan.
"""

from __future__ import annotations

from collections.abc import Mapping

from gdexp.cli import benchmark_fields
from gdexp.cli.json_field import Field, Fields

EVERY: Fields = {
    "command": Field("text", "the command, or `run`, `preview`"),
    "exit_status": Field("integer", "of the process"),
}
"""What every object begins with."""

STORED: Fields = {
    "run_id": Field("text", "the run in MLflow"),
    "tracking": Field("text", "the address of MLflow's store"),
    "view": Field("text", "the address of its page once MLflow's UI runs"),
}

RUN: Fields = {
    **STORED,
    "status": Field("text", "why the descent ended"),
    "reason": Field("text", "the same in one clause"),
    "iterations": Field("integer", "updates made"),
    "hitting_time": Field("number", "the continuous form of `iterations`, or its projection"),
    "projected": Field("boolean", "whether `hitting_time` is a projection: it did not converge"),
    "final_loss": Field("number", "the last loss"),
    "f_star": Field("number", "what the threshold is measured from"),
    "metrics": Field("object of number", "all metrics of the run, by their names in MLflow"),
    "engine": Field("text", "portable or torch"),
    "engine_reason": Field("text or null", "why engine=auto took torch"),
    "signature": Field("text", "of what decides the outcome"),
    "config": Field("object of any", "the config that decides the outcome, without secrets"),
    "repeat": Field("text", "the command that runs it again"),
}

PLAN: Fields = {
    "sweep": Field("text", "the name of the sweep and of its study"),
    "problem": Field("text", "its name; `problems` where several are swept"),
    "rule": Field("text", "its name; `rules` where several are swept"),
    "engine": Field("text or null", "of all trials; auto: each its own; null where it is swept"),
    "objectives": Field("list of text", "what is minimised or maximised"),
    "space": Field("object of text", "each swept key with its range or choices"),
    "sampler": Field("text", "what proposes the trials"),
    "n_trials": Field("integer", "the trials asked for"),
    "study": Field("text", "the file or server of the Optuna study"),
}

TRIAL: Fields = {
    "trial": Field("integer", "its number in the study"),
    "run_id": Field("text", "its run; RUN_ID/NUMBER is a row of a shard, which +rerun takes too"),
    "status": Field("text", "why its descent ended"),
    "iterations": Field("number", "updates until its end; of several seeds the expected number"),
    "hitting_time": Field("number", "the hitting time, or its projection"),
    "final_loss": Field("number", "the last loss; of several seeds the mean"),
    "threshold": Field("number", "its target"),
    "parameters": Field("object of any", "the swept keys with their values"),
    "values": Field("object of number", "what Optuna was told, by objective"),
    "repeat": Field("text", "the command that runs it again"),
}

THRESHOLD: Fields = {
    "threshold": Field("number", "the target"),
    "iterations": Field("number or null", "the fewest of the traces that reach it"),
    "at_least": Field("number or null", "the fewest that a trace can need that ended before it"),
    "trial": Field("integer or null", "the trial with the fewest"),
    "run_id": Field("text or null", "its run"),
    "parameters": Field("object of any or null", "its swept keys with their values"),
    "reached": Field("integer", "the trials that reach the threshold"),
    "total": Field("integer", "all finished trials"),
    "at_start": Field("boolean", "whether every start is within the threshold"),
}

COMPARED: Fields = {
    "trial": Field("integer", "its number"),
    "expected": Field("number", "its expected running time"),
    "low": Field("number or null", "the lower end of its 95 % interval; null with few seeds"),
    "high": Field("number or null", "the upper end"),
    "ratio": Field("number", "its expected running time over that of the best trial"),
    "ratio_low": Field("number or null", "the lower end of the ratio's 95 % interval"),
    "ratio_high": Field("number or null", "the upper end"),
    "wins": Field("integer", "seeds on which the best trial needs fewer iterations"),
    "losses": Field("integer", "seeds on which this one does"),
    "p_value": Field("number or null", "of the one-sided sign test; null below five seeds"),
    "best_share": Field("number or null", "how often it is the best of a resample"),
    "is_worse": Field("boolean", "whether it is told apart from the best trial"),
    "seeds_to_tell": Field("integer or null", "about how many would, if the difference stays"),
}

EVIDENCE: Fields = {
    "method": Field("text", "bootstrap, sign test, or too few seeds"),
    "seeds": Field("integer", "of each trial"),
    "text": Field("text", "the sentence of the report"),
    "best": Field("object", "the best trial beside itself", COMPARED),
    "others": Field("list of object", "the other trials, the best first", COMPARED),
}

CONFIRMATION: Fields = {
    **EVIDENCE,
    "first_seed": Field("integer", "the first of the further seeds"),
    "before": Field("number", "the expected running time of the winner in its trial"),
    "failed": Field("list of integer", "contenders with a descent that failed"),
}

RACE: Fields = {
    "first_seeds": Field("integer", "seeds of every trial before the race"),
    "budget": Field("integer", "descents for further seeds"),
    "spent": Field("integer", "those that were made"),
    "levels": Field("list of integer", "the numbers of seeds at which trials were compared"),
    "text": Field("text", "the lines of the report"),
    "trials": Field(
        "list of object",
        "the trials in the race, those that ran longest first",
        {
            "trial": Field("integer", "its number"),
            "seeds": Field("integer", "that it has"),
            "expected": Field("number", "its expected running time over them"),
            "ended": Field("text", "ran to the end, told apart, behind, or failed"),
            "leader": Field("integer", "the trial that led then"),
        },
    ),
}

PROBLEM_ROW: Fields = {
    "problem": Field("text", "its name"),
    "iterations": Field("number", "that the best trial needs there"),
    "successes": Field("integer", "its seeds that converged there"),
    "fewest": Field("number", "the fewest iterations of any trial there"),
    "fewest_trial": Field("integer", "that trial"),
    "ratio": Field("number", "of the two"),
}

HELD_OUT: Fields = {
    "trial": Field("integer", "the winner"),
    "mean": Field("number or null", "the geometric mean of its iterations; null if one is missing"),
    "text": Field("text", "the line of the report"),
    "problems": Field(
        "list of object",
        "the held-out problems",
        {
            "problem": Field("text", "its name"),
            "iterations": Field("number or null", "that the winner needs; null if not reached"),
            "successes": Field("integer", "its seeds that converged"),
            "seeds": Field("integer", "all of them"),
            "status": Field("text", "converged, or the first other"),
        },
    ),
}

SWEEP: Fields = {
    **STORED,
    **PLAN,
    "best": Field("object or null", "the best trial; null where none converged", TRIAL),
    "nearest": Field("object or null", "where none is best, the one that came nearest", TRIAL),
    "evidence": Field("object or null", "what several seeds tell of the best trial", EVIDENCE),
    "problems": Field("list of object", "the best trial on each of several problems", PROBLEM_ROW),
    "held_out": Field("object or null", "the winner on `sweep.held_out`", HELD_OUT),
    "race": Field("object or null", "what `sweep.race` found", RACE),
    "confirmation": Field("object or null", "the winner from further seeds", CONFIRMATION),
    "finished": Field("integer", "the trials that ended, of this start and of earlier ones"),
    "statuses": Field("object of integer", "how many of them ended how"),
    "steps": Field("integer", "gradient steps in all"),
    "steps_saved": Field("number", "the steps that the cap saved, estimated"),
    "reused": Field("integer", "descents taken from earlier runs"),
    "importance": Field("object of number", "the share of each swept key, from 0 to 1"),
    "thresholds": Field("list of object", "the table of thresholds", THRESHOLD),
    "front": Field("list of object", "the trials that no other beats in everything", TRIAL),
    "ended": Field("text or null", "why it ended before its last trial"),
}

PREVIEW: Fields = {
    **PLAN,
    "duration": Field(
        "object or null",
        "how long the sweep will take; null where that is under a minute, or not known",
        {
            "seconds": Field("number", "of the whole sweep"),
            "seconds_per_trial": Field("number", "of one trial"),
            "at_most": Field("boolean", "whether it may well be shorter"),
            "pilots": Field("integer", "the trials that were begun to know it"),
            "ways": Field(
                "list of object",
                "shorter ways",
                {
                    "override": Field("text", "what to add to the command"),
                    "seconds": Field("number", "of the sweep then"),
                },
            ),
        },
    ),
    "trials": Field("list of object of any", "the parameters of the first trials"),
}

DIFFERENCE: Fields = {
    "first": Field("list of integer", "where the first difference is"),
    "count": Field("integer", "how many numbers differ"),
    "total": Field("integer", "of how many"),
    "there": Field("number", "the recorded number"),
    "here": Field("number", "the rerun's number"),
    "ulps": Field("any", "their distance in units of the last place"),
    "largest": Field("any", "the largest such distance"),
}

OUTCOME: Fields = {
    "verdict": Field("text", "identical, close, same outcome, different, or why there is none"),
    "exit_status": Field("integer", "of this descent alone"),
    "reasons": Field("list of text", "what differs, or why nothing could be compared"),
    "causes": Field("list of any", "what may have caused it, the likeliest first"),
    "reference": Field(
        "object",
        "the recorded descent",
        {
            "run_id": Field("text", "its run"),
            "status": Field("text", "why it ended"),
            "iterations": Field("integer", "updates made"),
            "engine": Field("text", "portable or torch"),
            "grouping": Field("text", "whether it ran alone or in a batch"),
            "threads": Field("integer or null", "torch's threads; null where not recorded"),
        },
    ),
    "rerun": Field(
        "object",
        "the new descent",
        {
            "run_id": Field("text or null", "its run; null where it was not recorded"),
            "status": Field("text", "why it ended"),
            "iterations": Field("integer", "updates made"),
            "seconds": Field("number", "the time that it took"),
            "threads": Field("integer", "torch's threads"),
        },
    ),
    "program": Field("object of any or null", "which stored program was computed; null on torch"),
    "trace": Field("object or null", "how the losses differ; null where they do not", DIFFERENCE),
    "final": Field("object or null", "how the final x differs; null where it does not", DIFFERENCE),
}
"""The outcome of one rerun. Without a descent to compare with it ends with `reasons`."""

RERUN: Fields = OUTCOME

RERUN_ALL: Fields = {
    "verdicts": Field("object of integer", "how many descents have which verdict"),
    "runs": Field("list of object", "the descents, as `+rerun` of one has them", OUTCOME),
}

COMPARE: Fields = {
    "sweep": Field("text or null", "the run of the sweep whose trials are compared"),
    "answer": Field("text", "what was found, in one sentence for each problem"),
    "best": Field("text", "the run with the smallest hitting time"),
    "reference": Field("text", "the run that final tensors are compared with"),
    "cost": Field("text", "what hitting times are in, of compare.cost"),
    "runs": Field(
        "list of object",
        "the compared runs, the best first",
        {
            "run_id": Field("text", "the run"),
            "rank": Field("integer", "its place, from 1"),
            "status": Field("text or null", "why it ended"),
            "name": Field("text", "its name in MLflow"),
            "trial": Field("integer or null", "its number, of a trial of a sweep"),
            "largest_distance": Field(
                "number or null", "max |x - x of the reference|; null where one is not finite"
            ),
            "mean_distance": Field("number or null", "the mean of |x - x of the reference|"),
            "metrics": Field("object of number", "its metrics by name"),
            "params": Field("object of any", "its values of the params that differ"),
        },
    ),
    "thresholds": Field(
        "list of object",
        "each run at each threshold",
        {
            "run_id": Field("text", "the run"),
            "metric": Field("text", "what is compared with the threshold"),
            "threshold": Field("number", "the target"),
            "hitting_time": Field("number or null", "where its trace reaches it"),
            "at_least": Field("number or null", "the fewest that it can need, if it ended before"),
        },
    ),
    "left_out": Field(
        "list of object",
        "runs that cannot be compared",
        {
            "run_id": Field("text", "the run"),
            "reason": Field("text", "why"),
        },
    ),
    "report": Field("text or null", "the place of the report; null where it cannot be written"),
}

INSPECT: Fields = {
    "problem": Field("text", "its name"),
    "shape": Field("list of integer", "of x"),
    "dtype": Field("text", "of x"),
    "device": Field("text", "where x is"),
    "loss": Field("number", "at x0"),
    "gradient": Field("any", "at x0, in lists of the shape of x"),
    "nodes": Field("object of text", "the named values of the loss, each with what made it"),
    "gradient_error": Field("number", "the largest relative difference from finite differences"),
    "tolerance": Field("number", "the largest that passes"),
    "agrees": Field("boolean", "whether it passes"),
}

PROBLEMS: Fields = {
    "problems": Field(
        "list of object",
        "all shipped problems",
        {
            "name": Field("text", "what problem=NAME takes"),
            "numbers": Field("integer", "the numbers in x"),
            "f_star": Field("number or null", "the minimum; null where it is not known"),
            "kappa": Field("number or null", "the condition number"),
            "best_lr": Field("number or null", "gd's best learning rate for the worst start"),
            "stability_limit": Field("number or null", "from here on gd leaves the minimum"),
            "unique": Field("boolean", "whether there is one minimum"),
        },
    ),
}

CERTIFY: Fields = {
    "rule": Field("text", "its name"),
    "lr": Field("number", "its learning rate"),
    "schedule": Field("text", "the name of its schedule"),
    "bound": Field("number", "of the measure"),
    "exact": Field("boolean", "whether it is the worst case itself"),
    "kind": Field("text", "worst case, or bound where it is not known to be attained"),
    "measure": Field("text", "what is bounded"),
    "method": Field("text", "closed form or solver"),
    "source": Field("text", "the paper, or the solver with its versions"),
    "solver_gap": Field("number or null", "between the bound and the solver's example"),
    "assumptions": Field("list of text", "with which the bound holds"),
    "floor": Field("number or null", "less than this no method can promise"),
    "floor_source": Field("text or null", "its paper"),
    "steps": Field("integer", "N, the updates"),
    "smoothness": Field("number", "L"),
    "strong_convexity": Field("number", "mu"),
    "functions": Field("text", "convex or quadratic"),
    "distance": Field("number", "|x0 - x*|"),
}

EXPORT: Fields = {
    "run_id": Field("text", "the exported run"),
    "folder": Field("text", "the folder that was written"),
    "files": Field("list of text", "the files in it"),
    "bytes": Field("integer", "their size"),
    "replay": Field("text", "the command that replays it anywhere"),
}

ANSWERS: Mapping[str, Fields] = {
    "run": RUN,
    "sweep": SWEEP,
    "preview": PREVIEW,
    "rerun": RERUN,
    "rerun_all": RERUN_ALL,
    "compare": COMPARE,
    "inspect": INSPECT,
    "problems": PROBLEMS,
    "certify": CERTIFY,
    "export": EXPORT,
    **benchmark_fields.ANSWERS,
    "delete": {
        "run_id": Field("text", "the run or sweep"),
        "kind": Field("text", "run, sweep or rerun"),
        "name": Field("text", "of the run"),
        "runs": Field("integer", "deleted runs, those of trials included"),
        "study": Field("text or null", "the deleted study of a sweep"),
    },
    "resume": {**RUN, "resumed": Field("text", "from where, and what is other than before")},
}
"""The fields of each command's object, beside those of `EVERY`."""
