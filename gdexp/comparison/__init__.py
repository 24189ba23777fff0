"""Compare tracked runs: what differs, iterations to each threshold, pictures, an HTML report."""

from gdexp.comparison.comparison import DIFFERENT_THRESHOLDS_NOTE, Comparison
from gdexp.comparison.data_files import data, data_files
from gdexp.comparison.html_report import html_page, is_report
from gdexp.comparison.matplotlib_figures import render_png
from gdexp.comparison.pictures import make_pictures
from gdexp.comparison.summary import answer, left_out_lines, repeat_commands, summary_lines
from gdexp.comparison.tables import (
    SIDE_BY_SIDE,
    Table,
    differences_table,
    running_time_table,
    threshold_table,
)
from gdexp.comparison.terminal_plot import plot_lines

__all__ = [
    "DIFFERENT_THRESHOLDS_NOTE",
    "SIDE_BY_SIDE",
    "Comparison",
    "Table",
    "answer",
    "data",
    "data_files",
    "differences_table",
    "html_page",
    "is_report",
    "left_out_lines",
    "make_pictures",
    "plot_lines",
    "render_png",
    "repeat_commands",
    "running_time_table",
    "summary_lines",
    "threshold_table",
]
