"""Compare tracked runs: what differs, iterations to each threshold, pictures, an HTML report."""

from gdexp.comparison.comparison import DIFFERENT_THRESHOLDS_NOTE, Comparison
from gdexp.comparison.data_files import data, data_files
from gdexp.comparison.figure_model import GREY, PALETTE, Chart, Series
from gdexp.comparison.html_report import (
    html_chart,
    html_page,
    html_table,
    is_report,
    report_page,
)
from gdexp.comparison.matplotlib_figures import render_png
from gdexp.comparison.pictures import make_pictures
from gdexp.comparison.profiles import (
    Steps,
    data_profile,
    ecdf,
    expected_running_time,
    performance_profile,
    profile_score,
)
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
    "GREY",
    "PALETTE",
    "SIDE_BY_SIDE",
    "Chart",
    "Comparison",
    "Series",
    "Steps",
    "Table",
    "answer",
    "data",
    "data_files",
    "data_profile",
    "differences_table",
    "ecdf",
    "expected_running_time",
    "html_chart",
    "html_page",
    "html_table",
    "is_report",
    "left_out_lines",
    "make_pictures",
    "performance_profile",
    "plot_lines",
    "profile_score",
    "render_png",
    "repeat_commands",
    "report_page",
    "running_time_table",
    "summary_lines",
    "threshold_table",
]
