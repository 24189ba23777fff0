"""The user's own code and data in a study: recorded, compared at each start, and marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from gdexp.core import BadInput, changed_files
from gdexp.experiment import NONDETERMINISTIC_TAG
from gdexp.sweeps.plan import Plan
from gdexp.sweeps.study.attributes import CHANGED_CODE, CODE, CODE_VERSION, NONDETERMINISTIC
from gdexp.sweeps.study.study import claim_lock

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

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
        record = _Record.read(stored)
        if changed and not self._plan.settings.accept_changes:
            raise _refused(self._plan, changed, record)
        if not now and stored is None:
            return None
        if changed:
            same = (n for n, files in record.earlier.items() if not self._changed_since(files))
            record = record.changed_to(next(same, None), changed)
        kept = {name: digest for name, digest in record.files.items() if name not in changed}
        record = replace(record, files={**kept, **now})
        self._write(record)
        if record.marks:
            names = _named(record.marks)
            return f"Trials from here on are marked: {names} changed since this study began."
        if record.changed:
            return f"{_named(record.changed)}: as when this study began; trials between are marked."
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
        record = self._record()
        if changed := self._changed():
            raise _refused(self._plan, changed, record)
        if not now.keys() <= record.files.keys():
            with claim_lock(self._study):
                record = self._record()
                self._write(replace(record, files={**now, **record.files}))
        self._compared = now

    def attributes(self) -> dict[str, Any]:
        """Return the attributes of trials that run from now on."""
        record = self._record()
        marks: dict[str, Any] = {CHANGED_CODE: record.marks} if record.marks else {}
        return marks | ({CODE_VERSION: record.version} if record.changed else {})

    def tags(self) -> dict[str, str]:
        """Return the tags of the runs of trials that run from now on."""
        marks = self._record().marks
        tags = {CHANGED_CODE: ", ".join(marks)} if marks else {}
        differs = self._study.user_attrs.get(NONDETERMINISTIC)
        return {**tags, NONDETERMINISTIC_TAG: "true"} if differs else tags

    def _record(self) -> _Record:
        return _Record.read(self._study.user_attrs.get(CODE))

    def _changed(self) -> list[str]:
        return self._changed_since(self._record().files)

    def _changed_since(self, files: Mapping[str, str]) -> list[str]:
        return changed_files(files, *self._codes) if self._codes else []

    def _now(self) -> dict[str, str]:
        return {name: digest for code in self._codes for name, digest in code.digests.items()}

    def _write(self, record: _Record) -> None:
        stored = record.as_attribute()
        if self._study.user_attrs.get(CODE) != stored:
            self._study.set_user_attr(CODE, stored)


def had_other_code(study_code: Mapping[str, Any], trial: FrozenTrial) -> bool:
    """Return whether a trial ran other files of the user's own than the study has now.

    Args:
        study_code: the attribute `CODE` of the study; empty where it has none.
        trial: of the study.
    """
    if not study_code or not (record := _Record.read(study_code)).changed:
        return False
    own = trial.user_attrs
    if "version" not in study_code:  # of an earlier gdexp
        return bool(own.get(CHANGED_CODE) != record.changed)
    return bool(own.get(CODE_VERSION, 1 if CHANGED_CODE in own else 0) != record.version)


@dataclass(frozen=True)
class _Record:
    """What a study holds of the user's files.

    Attributes:
        files: digest by name, of the present version.
        changed: the names of those that ever changed.
        version: its number; 0 is the one that the study began with.
        earlier: the files of the other versions, by number.
    """

    files: Mapping[str, str]
    changed: list[str]
    version: int
    earlier: Mapping[int, Mapping[str, str]]

    @classmethod
    def read(cls, stored: Mapping[str, Any] | None) -> _Record:
        """Return what is stored; what has no versions was accepted at most once, or is old."""
        if stored is None:
            return cls({}, [], 0, {})
        changed = list(stored["changed"])
        version = stored.get("version", 1 if changed else 0)
        earlier = {int(number): files for number, files in stored.get("earlier", {}).items()}
        return cls(dict(stored["files"]), changed, version, earlier)

    def as_attribute(self) -> dict[str, Any]:
        """Return what is stored."""
        basic = {"files": dict(self.files), "changed": self.changed}
        if not self.changed:
            return basic
        earlier = {str(number): dict(files) for number, files in self.earlier.items()}
        return {**basic, "version": self.version, "earlier": earlier}

    def changed_to(self, known: int | None, changed: Sequence[str]) -> _Record:
        """Return the record once files changed.

        Args:
            known: the number of the earlier version that they are again; None: a new one.
            changed: the names of the files.
        """
        versions = {**self.earlier, self.version: self.files}
        number = max(versions) + 1 if known is None else known
        files = versions.pop(number, self.files)
        return _Record(files, sorted({*self.changed, *changed}), number, versions)

    @property
    def marks(self) -> list[str]:
        """The names of the files that are not as when the study began."""
        return self.changed if self.version else []


def _refused(plan: Plan, changed: list[str], record: _Record) -> BadInput:
    since = "after the trials that ran last" if record.changed else "since this study began"
    return BadInput(
        "sweep.name",
        plan.name,
        f"{_named(changed)} changed {since}; another sweep.name starts anew, "
        "sweep.accept_changes=true goes on and marks the trials from then on",
    )


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more
