"""The names under which gdexp keeps its own data in an Optuna study. They never change."""

DEFINITION = "gdexp.definition"
"""Of a study: what must stay the same while it goes on."""

BASE = "gdexp.base"
"""Of a study: the config that every trial starts from."""

PARENT = "gdexp.parent"
"""Of a study: the id of the sweep's own MLflow run."""

TOKEN = "gdexp.token"
"""Of a study, and a tag of the sweep's own run: finds the run before `PARENT` is written."""

DEATHS = "gdexp.deaths"
"""Of a trial: how many workers died while they ran it, in the start that saw the last of them."""

WORKER = "gdexp.worker"
"""Of a trial: the worker that runs it, where several share the study."""

CODE = "gdexp.code"
"""Of a study: `files`, the digest of each file of the user's own code and data by name, and
`changed`, the names of those that ever changed since the study began (`sweep.accept_changes`). Once
some did also `version`, the number of the present ones, and `earlier`, the files of other versions
by their numbers: 0 are those that the study began with."""

CHANGED_CODE = "gdexp.changed_code"
"""Of a trial, and a tag of its run: the files that changed since the study began."""

CODE_VERSION = "gdexp.code_version"
"""Of a trial: the `version` of `CODE` that it ran; none where no file ever changed."""

FURTHER = "gdexp.further"
"""Of a study, with a dot and the number of a trial: the outcomes of its further seeds."""

RACED = "gdexp.raced"
"""The same of the descents that a race added, each with the number of trials of that race."""

TESTED = "gdexp.tested"
"""The same of descents on held-out problems."""

READINGS = "gdexp.readings"
"""Of a trial of a sweep with a pruner: the steps and values of its readings, as two lists."""

NONDETERMINISTIC = "gdexp.nondeterministic"
"""Of a study: whether its problem gives different losses for the same settings."""
