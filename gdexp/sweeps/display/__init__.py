"""The progress of a sweep in the terminal."""

from gdexp.sweeps.display.progress import Progress
from gdexp.sweeps.display.told_values import progress_description, progress_value

__all__ = ["Progress", "progress_description", "progress_value"]
