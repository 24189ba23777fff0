"""`python -m gdexp +export=RUN_ID`: one folder that `+rerun=FOLDER` takes on any machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gdexp.config import Config, construct
from gdexp.core import BadInput, check_file_name, command_folder, json_output, validation
from gdexp.display import terminal
from gdexp.reruns import (
    check_free,
    check_overrides,
    folder_files,
    reference_of_run,
    select_runs,
    write_folder,
)
from gdexp.tracking import TrackingSettings

FOLDER = "export"


@dataclass(frozen=True)
class ExportSettings:
    """The config group `export`.

    Args:
        run: run id or its first digits; None: the newest sweep's best, or the newest run,
            whichever is newer.
        folder: that is written; None: `export/` and the first digits of the run id.
    """

    run: str | None = None
    folder: str | None = None

    def __post_init__(self) -> None:
        for key in ("run", "folder"):
            if getattr(self, key) is not None:
                validation.text(key, getattr(self, key))


def export(config: Config) -> None:
    """Write a run's record, checked by its manifest, to a folder.

    Raises:
        BadInput: no such run, several, or a folder that holds something.
        NoReference: the run left nothing to replay.
        DamagedReference: its files are not what its manifest says.
        StorageFailed: the store cannot be read or the folder written.
    """
    check_overrides("export")
    settings = construct("export", ExportSettings, config["export"] or {})
    tracking = construct("tracking", TrackingSettings, config["tracking"])
    runs, _ = select_runs(settings.run, tracking, "+export")
    if len(runs) != 1:
        ids = ", ".join(run.short for run in runs[:5])
        raise BadInput(
            "+export", settings.run or "", f"stands for {len(runs)} runs; name one of {ids}"
        )
    shown = settings.folder or f"{FOLDER}/{runs[0].short.replace('/', '-')}"
    place = command_folder() / Path(shown).expanduser()
    check_file_name("export.folder", place)
    check_free(place, shown)
    reference = reference_of_run(runs[0])
    files = folder_files(reference)
    write_folder(place, files, shown)
    out = terminal.console()
    size = sum(map(len, files.values()))
    named = shown if "/" in shown else f"./{shown}"
    replay = reference.command(named)
    answer = {"run_id": runs[0].run_id, "folder": shown, "files": sorted(files), "bytes": size}
    json_output.answer("export", {**answer, "replay": replay})
    terminal.print_facts(
        out, [("exported", f"{reference.shown}, {len(files)} files, {size:,} bytes")]
    )
    out.print("\n[dim]replay it anywhere with[/dim]")
    terminal.print_line(out, replay)
