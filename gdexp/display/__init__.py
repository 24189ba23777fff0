"""What a person sees: text in the terminal, and the style of figures."""

from gdexp.display import terminal
from gdexp.display.figures import BLUE, GREY, ORANGE, empty_figure, figure_with_axes, png
from gdexp.display.loss_lines import Losses
from gdexp.display.tensor_tables import curve, tensor_text, tensors
from gdexp.display.terminal import steps

__all__ = [
    "BLUE",
    "GREY",
    "ORANGE",
    "Losses",
    "curve",
    "empty_figure",
    "figure_with_axes",
    "png",
    "steps",
    "tensor_text",
    "tensors",
    "terminal",
]
