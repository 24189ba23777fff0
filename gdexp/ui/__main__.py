"""The command `scripts/ui`: MLflow's UI for the configured store, until Ctrl-C."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence

from rich.console import Console

from gdexp.core import (
    BadInput,
    GdexpError,
    Interrupted,
    Process,
    mask_secrets,
    printable,
)
from gdexp.display import terminal
from gdexp.tracking import TrackingSettings, convert_addresses
from gdexp.ui.links import Link, newest_links, without_user
from gdexp.ui.server import Server
from gdexp.ui.study_dashboard import OPTION, dashboard, place_text, study_place

USAGE = """\
usage: scripts/ui [--port N] [tracking.uri=…] [tracking.experiment=…]
       scripts/ui --optuna[=SWEEP] [--port N]

Starts MLflow's UI for the store that runs go to, prints links to the newest
sweep and run, and stays until Ctrl-C. It listens on 127.0.0.1 only, on MLflow's
port 5000 when that is free, else on any free port. For a store that is a server
(tracking.uri=http://…) it prints the links there and starts nothing.

With --optuna it starts optuna-dashboard instead, for the newest sweep in sweeps/
or for a name, a journal file or postgresql://…, with named objectives and plain
attributes; trials that did not converge are at most twice as high as the worst
that did. It needs the package optuna-dashboard, and changes nothing.

Exit status: 1 the server failed, 2 bad input or nothing recorded yet, 74 no
answer from a tracking server, 128+N ended by signal N (130 for Ctrl-C).
GDEXP_DEBUG=1 shows what the server says."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if "--help" in given or "-h" in given:
        print(USAGE)
        return 0
    process = Process()
    with process.current(given):
        return _run(given, process)


def _run(given: Sequence[str], process: Process) -> int:
    """Serve until a signal; turn an error into one line and an exit status."""
    try:
        with process.running():
            port, study, overrides = _split_arguments(given)
            if study is None:
                show(_settings(overrides), port, terminal.console())
            else:
                show_study(study, port, terminal.console())
    except Interrupted as interrupted:
        print("\nstopped", file=sys.stderr)
        return interrupted.exit_status
    except GdexpError as error:
        print(f"gdexp: error: {' '.join(str(error).split())}", file=sys.stderr)
        if os.environ.get("GDEXP_DEBUG") == "1":
            print(printable(mask_secrets(traceback.format_exc())), end="", file=sys.stderr)
        return error.exit_status
    return 0


def show(settings: TrackingSettings, port: int | None, out: Console) -> None:
    """Serve the store until a signal. For a store that is a server, print its links only.

    Args:
        settings: the store; a missing one is not created.
        port: the port; None takes a free one.
        out: the console for the links.

    Raises:
        BadInput: the database does not exist, or the port is in use.
        GdexpError, StorageFailed: the server ended, or does not answer.
        Interrupted: a signal asked for the end.
    """
    database = settings.database
    if database is not None and not (database.is_file() and database.stat().st_size):
        raise BadInput(
            "tracking.uri",
            settings.display_uri,
            "holds nothing yet; run something there first, such as python -m gdexp",
        )
    settings.preflight(reading=True)
    if database is not None and not settings.read_only:
        convert_addresses(database)
    uri = settings.mlflow_uri
    if uri.lower().startswith("http"):
        place = terminal.escape_text(without_user(uri))
        out.print(f"MLflow's UI is at {place}, which this does not start or stop.")
        _print(out, newest_links(uri, settings.experiment), settings)
        return
    with Server(settings, port) as server:
        # Requests to our own server must not go through a proxy.
        for name in ("no_proxy", "NO_PROXY"):
            os.environ[name] = ",".join(filter(None, [os.environ.get(name), "127.0.0.1"]))
        out.print(f"MLflow's UI for {terminal.escape_text(settings.display_uri)}")
        _print(out, newest_links(server.address, settings.experiment), settings)
        out.print("\n[dim]MLflow's own start page[/dim]")
        terminal.print_line(out, server.address)
        out.print("\nCtrl-C stops it.")
        server.wait()


def show_study(given: str, port: int | None, out: Console) -> None:
    """Serve optuna-dashboard for a study until a signal.

    Args:
        given: the sweep, as `study_place` takes it.
        port: the port; None takes a free one.
        out: the console for the link.

    Raises:
        BadInput: there is no such study, optuna-dashboard is missing, or the port is in use.
        StorageFailed: the study cannot be read.
        Interrupted: a signal asked for the end.
    """
    place = study_place(given)
    with dashboard(place, port) as (server, address):
        out.print(f"optuna-dashboard for {terminal.escape_text(place_text(place))}")
        terminal.print_line(out, address)
        out.print("\nCtrl-C stops it.")
        server.serve_forever()


def _print(out: Console, links: list[Link], settings: TrackingSettings) -> None:
    if not links:
        out.print(f"\nThe experiment {settings.experiment} holds no run yet.", markup=False)
    for link in links:
        out.print(f"\n[dim]{link.what}[/dim]  ", end="")
        out.print(printable(link.name), markup=False)
        terminal.print_line(out, link.address)


def _split_arguments(given: Sequence[str]) -> tuple[int | None, str | None, list[str]]:
    """Return the port, the study of `--optuna`, and the overrides of the config."""
    port, study = None, None
    overrides = []
    rest = list(given)
    while rest:
        argument = rest.pop(0)
        name, equals, value = argument.partition("=")
        if name == "--port":
            value = value if equals else (rest.pop(0) if rest else "")
            if not value.isdecimal():
                raise BadInput("--port", value, "must be 1 … 65535")
            port = int(value)
        elif name == OPTION:
            study = value
        elif name.startswith("tracking"):
            overrides.append(argument)
        else:
            raise BadInput(
                name,
                value,
                "is not for the UI; it takes --port, --optuna, tracking.uri, tracking.experiment",
            )
    if study is not None and overrides:
        raise BadInput(OPTION, study, f"takes no {overrides[0].partition('=')[0]}")
    return port, study, overrides


def _settings(overrides: list[str]) -> TrackingSettings:
    """Compose the config group `tracking` as every command does."""
    from hydra import compose, initialize_config_dir

    from gdexp import config, hydra_plugins
    from gdexp.config import as_gdexp_error, env_secrets

    hydra_plugins.register()
    try:
        with (
            env_secrets.environment_learned(),
            initialize_config_dir(str(config.shipped()), version_base="1.3"),
        ):
            composed = config.plain(compose("config", overrides))
    except GdexpError:
        raise
    except Exception as error:
        raise as_gdexp_error(error, overrides, composing=True) from None
    return config.construct("tracking", TrackingSettings, composed["tracking"])


if __name__ == "__main__":
    sys.exit(main())
