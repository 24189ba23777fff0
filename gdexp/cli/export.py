"""`python -m gdexp +export=RUN_ID`: one folder that `+rerun=FOLDER` accepts on any machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gdexp.config import Config, construct
from gdexp.core import BadInput, command_folder, validation
from gdexp.display import terminal
from gdexp.reruns import check_own_keys, folder_files, of_run, tracked, write_folder
from gdexp.tracking import TrackingSettings

FOLDER = "export"


@dataclass(frozen=True)
class ExportSettings:
    """The config group `export`.

    Args:
        run: run id or its first digits; None: the newest sweep's best, or the newest run.
        folder: the folder to write; None: `export/` and the first digits of the run id.
    """

    run: str | None = None
    folder: str | None = None

    def __post_init__(self) -> None:
        for key in ("run", "folder"):
            if getattr(self, key) is not None:
                validation.text(key, getattr(self, key))


def export(config: Config) -> None:
    """Write a run's record to a folder, after a check against its manifest.

    Raises:
        BadInput: no such run, several, or a folder that holds something.
        NoReference: the run has nothing to replay.
        Damaged: its files differ from its manifest.
        StorageFailed: the store cannot be read or the folder written.
    """
    check_own_keys("export")
    settings = construct("export", ExportSettings, config["export"] or {})
    tracking = construct("tracking", TrackingSettings, config["tracking"])
    runs, _ = tracked(settings.run, tracking, "+export")
    if len(runs) != 1:
        ids = ", ".join(run.short for run in runs[:5])
        raise BadInput(
            "+export", settings.run or "", f"stands for {len(runs)} runs; name one of {ids}"
        )
    reference = of_run(runs[0])
    shown = settings.folder or f"{FOLDER}/{runs[0].short.replace('/', '-')}"
    files = folder_files(reference)
    write_folder(command_folder() / Path(shown).expanduser(), files, shown)
    out = terminal.console()
    size = sum(map(len, files.values()))
    terminal.print_facts(
        out, [("exported", f"{reference.shown}, {len(files)} files, {size:,} bytes")]
    )
    out.print("\n[dim]replay it anywhere with[/dim]")
    named = shown if "/" in shown else f"./{shown}"
    terminal.print_line(out, reference.command(named))
