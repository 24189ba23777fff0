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
from gdexp.cli.sweep_fields import PREVIEW, STORED, SWEEP

EVERY: Fields = {
    "command": Field("text", "the command, or `run`, `preview`"),
    "exit_status": Field("integer", "of the process"),
    "error": Field("text or null", "the line on standard error that says why it ended so"),
}
"""What every object begins with."""

FAILED: Fields = {
    "key": Field("text or null", "what was refused, as it is typed; null for another error"),
    "value": Field("any", "the refused value, without secrets; null where there is none"),
}
"""The rest of the object of a command that ended before it had an answer."""

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
    "bound": Field("number", "of the measure; a solver's to about 5e-5 of it"),
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
