"""Comparison of tracked runs: what differs, when each threshold was reached, figures, a report."""

from gdexp.comparison.comparison import DIFFERENT_THRESHOLDS_NOTE, Comparison
from gdexp.comparison.html_report import html_page
from gdexp.comparison.matplotlib_figures import render_png
from gdexp.comparison.pictures import make_pictures
from gdexp.comparison.tables import (
    SIDE_BY_SIDE,
    Table,
    differences_table,
    left_out_lines,
    repeat_commands,
    running_time_table,
    summary_lines,
    threshold_table,
)
from gdexp.comparison.terminal_plot import plot_lines

__all__ = [
    "DIFFERENT_THRESHOLDS_NOTE",
    "SIDE_BY_SIDE",
    "Comparison",
    "Table",
    "differences_table",
    "html_page",
    "left_out_lines",
    "make_pictures",
    "plot_lines",
    "render_png",
    "repeat_commands",
    "running_time_table",
    "summary_lines",
    "threshold_table",
]
