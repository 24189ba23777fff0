"""The page of the JSON objects that commands answer with, made from their fields."""

from __future__ import annotations

from collections.abc import Iterator

from documentation.markdown import code, escaped, table
from gdexp.cli.exit_statuses import ANSWERED, EXIT_STATUSES
from gdexp.cli.json_field import Fields
from gdexp.cli.json_fields import ANSWERS, EVERY, FAILED

TYPED = {
    "run": "python -m gdexp",
    "preview": "python -m gdexp +sweep sweep.preview=true",
    "benchmark_preview": "python -m gdexp +benchmark benchmark.preview=true",
    "rerun_all": "python -m gdexp +rerun rerun_all=true",
}
"""What is typed for an object, where it is not the name of the command."""

INTRODUCTION = """\
# JSON answers

With `output=json` a command prints one JSON object on standard output, and everything else on \
standard error: the text that it prints without it, progress, warnings, and what your own code \
prints. So a program can read the answer, for example `jq` after a `|`.

```sh
python -m gdexp output=json optimizer.lr=4.5
```

- There is one object in every ending, also of a command that was refused or interrupted: then \
it holds the error, which is one line on standard error too. A command that did its work and has \
another status than 0 prints its whole object. Only what ends a process at once leaves none, such \
as SIGKILL or a second Ctrl-C.
- What cannot be read as a config is answered in JSON where `output=json` is one of the arguments.
- Numbers that JSON lacks are the texts `"inf"`, `"-inf"` and `"nan"`. `null` means that there is \
no such value.
- Names stay. A later version may add fields, and removes or renames none without a word in the \
changelog.
- `rerun.format=json` is the earlier spelling of `output=json` for `+rerun`.
"""

BEGINNING = "Every object begins with:\n"
ERRORS = "\nThe object of a command that ended before it had an answer goes on with:\n"


def json_answers() -> str:
    """Return the page: what all objects have, then the fields of each command's object."""
    statuses = table(
        ("exit status", "meaning", "standard output"),
        [[code(n), escaped(text), escaped(ANSWERED[n])] for n, text in EXIT_STATUSES.items()],
    )
    parts = [INTRODUCTION, statuses, BEGINNING, _table(EVERY), ERRORS, _table(FAILED)]
    for name, fields in ANSWERS.items():
        typed = TYPED.get(name, f"python -m gdexp +{name}")
        parts += [f"## {name}\n", f"As typed: {code(typed)}\n", _table(fields)]
    return "\n".join(parts)


def _table(fields: Fields) -> str:
    return table(("field", "kind", "meaning"), _rows(fields, ""))


def _rows(fields: Fields, before: str) -> Iterator[list[str]]:
    """Yield a row for each field; those of an object follow it, with its name and a dot."""
    for name, (kind, meaning, inner) in fields.items():
        yield [code(f"{before}{name}"), kind, escaped(meaning)]
        if inner is not None:
            yield from _rows(inner, f"{before}{name}.")
