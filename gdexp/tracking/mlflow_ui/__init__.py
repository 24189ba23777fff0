"""What MLflow's pages show of gdexp: chart views, colours and titles of runs, descriptions."""

from gdexp.tracking.mlflow_ui import chart_views, run_display
from gdexp.tracking.mlflow_ui.chart_views import SweepView
from gdexp.tracking.mlflow_ui.descriptions import (
    MOST_COMMAND,
    NOTE_TAG,
    code_block,
    descent_note,
    escape_markdown,
)

__all__ = [
    "MOST_COMMAND",
    "NOTE_TAG",
    "SweepView",
    "chart_views",
    "code_block",
    "descent_note",
    "escape_markdown",
    "run_display",
]
