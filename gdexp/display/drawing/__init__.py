"""Pictures drawn without matplotlib: charts, and arrays as images."""

from gdexp.display.drawing.chart import Chart
from gdexp.display.drawing.heatmaps import Panel, heatmaps_png

__all__ = ["Chart", "Panel", "heatmaps_png"]
