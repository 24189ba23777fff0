"""The page of the JSON objects that commands answer with, made from their fields."""

from __future__ import annotations

from collections.abc import Iterator

from documentation.markdown import code, escaped, table
from gdexp.cli.json_fields import ANSWERS, EVERY, Fields

TYPED = {
    "run": "python -m gdexp",
    "preview": "python -m gdexp +sweep sweep.preview=true",
    "rerun_all": "python -m gdexp +rerun rerun_all=true",
}
"""What is typed for an object, where it is not the name of the command."""

INTRODUCTION = """\
# JSON answers

With `output=json` a command prints one JSON object on standard output, and everything else on \
standard error: the text that it prints without it, progress, warnings, and what your own code \
prints. So the output can be read by a program:

```sh
python -m gdexp output=json optimizer.lr=4.5 > answer.json
```

- An error is one line on standard error and an [exit status](exit-statuses.md); standard output \
stays empty. A command that did its work and has another status than 0 prints its object: a sweep \
in which nothing converged, a rerun that differs.
- Numbers that JSON lacks are the texts `"inf"`, `"-inf"` and `"nan"`. `null` means that there is \
no such value.
- Names stay. A later version may add fields, and removes or renames none without a word in the \
changelog.
- `rerun.format=json` is the earlier spelling of `output=json` for `+rerun`.

Every object begins with:
"""


def json_answers() -> str:
    """Return the page: what all objects have, then the fields of each command's object."""
    parts = [INTRODUCTION, _table(EVERY)]
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
