"""Output for people: text in the terminal, and the style of figures."""

from gdexp.display import terminal
from gdexp.display.figures import BLUE, GREY, ORANGE, empty_figure, figure_with_axes, png
from gdexp.display.loss_lines import LossPrinter
from gdexp.display.tensor_tables import format_tensor, print_curve, print_tensors

__all__ = [
    "BLUE",
    "GREY",
    "ORANGE",
    "LossPrinter",
    "empty_figure",
    "figure_with_axes",
    "format_tensor",
    "png",
    "print_curve",
    "print_tensors",
    "terminal",
]
