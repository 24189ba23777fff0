"""Compare tracked runs: what differs, iterations to each threshold, pictures, an HTML report."""

from gdexp.comparison.comparison import DIFFERENT_THRESHOLDS_NOTE, Comparison
from gdexp.comparison.data_files import data, data_files
from gdexp.comparison.descent_paths import path_contours
from gdexp.comparison.figure_model import GREY, PALETTE, Chart, Series, Surface
from gdexp.comparison.html_report import (
    html_chart,
    html_page,
    html_table,
    is_report,
    report_page,
)
from gdexp.comparison.loss_curves import loss_chart
from gdexp.comparison.matplotlib_figures import matplotlib_figure, render_png
from gdexp.comparison.pictures import fewest_chart, lr_chart, make_pictures
from gdexp.comparison.plotly_figures import plotly_figure
from gdexp.comparison.profile_charts import (
    data_profile_chart,
    ecdf_chart,
    performance_profile_chart,
)
from gdexp.comparison.profiles import (
    Steps,
    data_profile,
    ecdf,
    expected_running_time,
    performance_profile,
    profile_score,
)
from gdexp.comparison.reported import has_curves
from gdexp.comparison.summary import (
    answer,
    left_out_lines,
    repeat_commands,
    repeat_title,
    summary_lines,
)
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
    "Surface",
    "Table",
    "answer",
    "data",
    "data_files",
    "data_profile",
    "data_profile_chart",
    "differences_table",
    "ecdf",
    "ecdf_chart",
    "expected_running_time",
    "fewest_chart",
    "has_curves",
    "html_chart",
    "html_page",
    "html_table",
    "is_report",
    "left_out_lines",
    "loss_chart",
    "lr_chart",
    "make_pictures",
    "matplotlib_figure",
    "path_contours",
    "performance_profile",
    "performance_profile_chart",
    "plot_lines",
    "plotly_figure",
    "profile_score",
    "render_png",
    "repeat_commands",
    "repeat_title",
    "report_page",
    "running_time_table",
    "summary_lines",
    "threshold_table",
]
