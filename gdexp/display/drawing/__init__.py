"""Pictures drawn without matplotlib: charts, and arrays as images."""

from gdexp.display.drawing.chart import Chart
from gdexp.display.drawing.heatmaps import Panel, heatmaps_png
from gdexp.display.drawing.table import table_png

__all__ = ["Chart", "Panel", "heatmaps_png", "table_png"]
