"""Output for people: text in the terminal, and the style of figures."""

from gdexp.display import notebook, terminal
from gdexp.display.drawing import Chart, Panel, heatmaps_png, table_png
from gdexp.display.figures import (
    BLUE,
    GREY,
    LIGHT_BLUE,
    LIGHT_GREY,
    LIGHT_ORANGE,
    ORANGE,
    empty_figure,
    figure_with_axes,
    is_light,
    png,
)
from gdexp.display.loss_lines import LossPrinter
from gdexp.display.tensor_tables import format_tensor, print_curve, print_tensors

__all__ = [
    "BLUE",
    "GREY",
    "LIGHT_BLUE",
    "LIGHT_GREY",
    "LIGHT_ORANGE",
    "ORANGE",
    "Chart",
    "LossPrinter",
    "Panel",
    "empty_figure",
    "figure_with_axes",
    "format_tensor",
    "heatmaps_png",
    "is_light",
    "notebook",
    "png",
    "print_curve",
    "print_tensors",
    "table_png",
    "terminal",
]
