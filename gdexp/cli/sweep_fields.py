"""The fields of the JSON objects of a sweep and of its preview."""

from __future__ import annotations

from gdexp.cli.json_field import Field, Fields

STORED: Fields = {
    "run_id": Field("text", "the run in MLflow"),
    "tracking": Field("text", "the address of MLflow's store"),
    "view": Field("text", "the address of its page once MLflow's UI runs"),
}

PLAN: Fields = {
    "sweep": Field("text", "the name of the sweep and of its study"),
    "problem": Field("text", "its name; `problems` where several are swept"),
    "rule": Field("text", "its name; `rules` where several are swept"),
    "engine": Field("text or null", "of all trials; auto: each its own; null where it is swept"),
    "cost": Field("text", "what is counted: iterations, gradients, evaluations or seconds"),
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
    "iterations": Field("number or null", "of the trial with the least cost"),
    "cost": Field(
        "number or null", "the least of the traces that reach it, in `cost` of the sweep"
    ),
    "at_least": Field("number or null", "the least cost of a trace that ended before it"),
    "trial": Field("integer or null", "the trial with the least"),
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
    "count": Field("number", "what is minimised: iterations, or what `sweep.cost` counts"),
    "fewest": Field("number", "the smallest count of any trial there"),
    "fewest_trial": Field("integer", "that trial"),
    "best_known": Field("number", "the best known count there"),
    "best_known_from": Field("text", "`given`, `closed form`, or a trial"),
    "ratio": Field("number", "the count over the best known one"),
}

HELD_OUT: Fields = {
    "trial": Field("integer", "the winner"),
    "mean": Field("number or null", "the geometric mean of its iterations; null if one is missing"),
    "mean_ratio": Field("number or null", "the same of the ratios to the best known"),
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
            "at_least": Field("number or null", "the fewest iterations of censored descents"),
            "best_known": Field("number or null", "the best known iterations there"),
            "best_known_from": Field("text or null", "`given`, `closed form`, or the winner"),
            "ratio": Field("number or null", "the iterations over the best known ones"),
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
    "mean_ratio": Field(
        "number or null",
        "the geometric mean of the best trial's ratios to the best known; null with one problem",
    ),
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
