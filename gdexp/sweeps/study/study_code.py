"""The user's own code and data in a study: recorded, compared at each start, and marked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gdexp.core import BadInput, changed_files
from gdexp.experiment import NONDETERMINISTIC_TAG
from gdexp.sweeps.plan import Plan
from gdexp.sweeps.study.attributes import CHANGED_CODE, CODE, NONDETERMINISTIC
from gdexp.sweeps.study.study import claim_lock

if TYPE_CHECKING:
    from optuna import Study

MOST_NAMED = 3


class StudyCode:
    """The user's own code and data of a study, as they are recorded there.

    A study of gdexp's own problems has none, and costs nothing here.

    Args:
        study: of the plan.
        plan: of the sweep; its experiments were built in this process.
    """

    def __init__(self, study: Study, plan: Plan) -> None:
        self._study, self._plan = study, plan
        self._codes = plan.user_codes()
        self._compared: dict[str, str] = {}

    def begin(self) -> str | None:
        """Compare the code of this process with that of the study, and record it.

        Returns:
            A sentence for the user, where the study began without a record or goes on with changes.

        Raises:
            BadInput: a file changed, and `sweep.accept_changes` is not given.
        """
        now = self._now()
        stored = self._study.user_attrs.get(CODE)
        changed = self._changed()
        if changed and not self._plan.settings.accept_changes:
            raise _refused(self._plan, changed)
        if not now and stored is None:
            return None
        files, before = _parts(stored)
        kept = {name: digest for name, digest in files.items() if name not in changed}
        marked = sorted({*before, *changed})
        self._write({"files": {**kept, **now}, "changed": marked})
        if marked:
            return (
                f"Trials from here on are marked: {_named(marked)} changed since this study began."
            )
        if stored is None and self._study.get_trials(deepcopy=False):
            return f"{_named(sorted(now))}: taken as it was; this study began without its digest."
        return None

    def check(self) -> None:
        """Compare what this process loaded with the study's record; add what it loaded since.

        Raises:
            BadInput: a file is another one than the study's.
        """
        if not self._codes or (now := self._now()) == self._compared:
            return
        if changed := self._changed():
            raise _refused(self._plan, changed)
        files, marked = _parts(self._study.user_attrs.get(CODE))
        if not now.keys() <= files.keys():
            with claim_lock(self._study):
                files, marked = _parts(self._study.user_attrs.get(CODE))
                self._write({"files": {**now, **files}, "changed": marked})
        self._compared = now

    @property
    def marks(self) -> list[str]:
        """The names of the files that changed since the study began."""
        return _parts(self._study.user_attrs.get(CODE))[1]

    def tags(self) -> dict[str, str]:
        """Return the tags of the runs of trials that run from now on."""
        tags = {CHANGED_CODE: ", ".join(self.marks)} if self.marks else {}
        differs = self._study.user_attrs.get(NONDETERMINISTIC)
        return {**tags, NONDETERMINISTIC_TAG: "true"} if differs else tags

    def _changed(self) -> list[str]:
        files, _ = _parts(self._study.user_attrs.get(CODE))
        return changed_files(files, *self._codes) if self._codes else []

    def _now(self) -> dict[str, str]:
        return {name: digest for code in self._codes for name, digest in code.digests.items()}

    def _write(self, record: Mapping[str, Any]) -> None:
        if self._study.user_attrs.get(CODE) != record:
            self._study.set_user_attr(CODE, record)


def _parts(stored: Mapping[str, Any] | None) -> tuple[dict[str, str], list[str]]:
    """Return digests and changed names of a stored record."""
    return ({}, []) if stored is None else (dict(stored["files"]), list(stored["changed"]))


def _refused(plan: Plan, changed: list[str]) -> BadInput:
    return BadInput(
        "sweep.name",
        plan.name,
        f"{_named(changed)} changed since this study began; another sweep.name starts anew, "
        "sweep.accept_changes=true goes on and marks the trials from then on",
    )


def _named(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more
