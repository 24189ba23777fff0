"""Where a person sees the runs of a store: the command that starts the UI, and its pages."""

from __future__ import annotations

import shlex

from gdexp.core import shown_path
from gdexp.tracking.mlflow_ui import chart_views
from gdexp.tracking.settings import TrackingSettings

UI = "python -m gdexp.ui"
"""The command that `scripts/ui` runs; it needs no copy of the repository."""


class StoreLinks:
    """The pages of an MLflow experiment.

    Attributes:
        settings: where the store is.
        experiment_id: of the experiment.
    """

    settings: TrackingSettings
    experiment_id: str

    def children_link(self, parent: str) -> str:
        """Return the address, after `#`, of the chart view of a sweep's children."""
        return chart_views.children_link(self.experiment_id, parent)

    def run_link(self, run_id: str) -> str:
        """Return the address, after `#`, of a run's page."""
        return chart_views.run_link(self.experiment_id, run_id)

    def loss_link(self, run_id: str) -> str:
        """Return the address, after `#`, of a run's losses on a log axis."""
        return chart_views.loss_link(self.experiment_id, run_id)

    def runs_link(self) -> str:
        """Return the address, after `#`, of the charts of the single runs."""
        return chart_views.runs_link(self.experiment_id)

    def ui_address(self) -> str:
        """Return the address of the UI: of the server, or of what `ui_command` starts."""
        if self.settings.is_server:
            return self.settings.display_uri.rstrip("/")
        return "http://127.0.0.1:5000"

    def ui_command(self) -> str:
        """Return what a person types to see the runs.

        It is gdexp's own command and not `mlflow ui`: that has 15 processes, and in a new browser
        its assistant's panel covers the charts.
        """
        if self.settings.is_server:
            return "in the UI of the server, open"
        if self.settings.uri is None:
            return f"{UI}    in this directory, then open"
        database = self.settings.database
        if database is None:
            return f"{UI} tracking.uri=…    with the same address, then open"
        address = shlex.quote(f"tracking.uri=sqlite:///{shown_path(database)}")
        return f"{UI} {address}    then open"
