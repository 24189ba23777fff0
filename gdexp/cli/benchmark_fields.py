"""The fields of the JSON objects of `+benchmark`."""

from __future__ import annotations

from collections.abc import Mapping

from gdexp.cli.json_field import Field, Fields

BENCHMARK: Fields = {
    "name": Field("text", "of the folder in `benchmarks/`"),
    "definition": Field("object of any", "the settings that decide the outcome"),
}

BENCHMARK_SOLVER: Fields = {
    "dimension": Field("integer", "the number of variables"),
    "solver": Field("text", "the rule; `one rate` where all functions share its learning rate"),
    "targets_met": Field("number", "the share of function, instance, start, target that was met"),
    "low": Field("number", "the lower edge of its bootstrap interval"),
    "high": Field("number", "the upper edge"),
    "functions_solved": Field("integer", "the functions of which a descent met 1e-8"),
    "functions": Field("integer", "all functions"),
    "score": Field("number", "AlgoPerf's score, from 0 to 1"),
    "score_low": Field("number", "the lower edge of its bootstrap interval"),
    "score_high": Field("number", "the upper edge"),
    "evaluations_per_iterate": Field("number", "above 1 where a rule makes trials"),
    "score_by_iterates": Field("number", "the score if trials cost nothing"),
}

BENCHMARK_TIME: Fields = {
    "solver": Field("text", "as in `solvers`"),
    "dimension": Field("integer", "the number of variables"),
    "function": Field("integer", "1 … 24"),
    "rate": Field("number or null", "the learning rate that was swept; null: the rule has none"),
    "target": Field("number", "the largest gap that meets it"),
    "running_time": Field("number or null", "the expected one in evaluations; null: never met"),
    "low": Field("number or null", "the lower edge of its bootstrap interval"),
    "high": Field("number or null", "the upper edge; null: a resample has no success"),
    "successes": Field("integer", "the descents that met the target"),
    "descents": Field("integer", "all descents"),
}

ANSWERS: Mapping[str, Fields] = {
    "benchmark": {
        **BENCHMARK,
        "solvers": Field("list of object", "a row for each and dimension", BENCHMARK_SOLVER),
        "running_times": Field("list of object", "to the targets 100 … 1e-8", BENCHMARK_TIME),
        "report": Field("text", "the place of the report"),
    },
    "benchmark_preview": {
        **BENCHMARK,
        "rates": Field("integer", "learning rates that are to be swept"),
        "cells": Field("integer", "rules on a function and dimension that are to be done"),
        "descents": Field("integer", "of these cells"),
        "seconds": Field("number", "an estimate of the time of one process"),
    },
}
