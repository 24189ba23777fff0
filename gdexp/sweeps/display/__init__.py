"""The progress of a sweep in the terminal."""

from gdexp.sweeps.display.progress import Progress

__all__ = [
    "Progress",
]
