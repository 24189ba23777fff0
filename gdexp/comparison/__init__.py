"""Comparison of tracked runs: what differs, when each threshold was reached, figures, a report."""

from gdexp.comparison import tables, terminal_plot
from gdexp.comparison.charts import charts
from gdexp.comparison.comparison import LOOSE, Comparison
from gdexp.comparison.html_report import page
from gdexp.comparison.matplotlib_figures import png_of

__all__ = [
    "LOOSE",
    "Comparison",
    "charts",
    "page",
    "png_of",
    "tables",
    "terminal_plot",
]
