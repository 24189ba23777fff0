"""Tracked runs read back as typed objects; their arrays only when they are asked for."""

from __future__ import annotations

from gdexp.runs.load import Shelf, load_runs
from gdexp.runs.run import TrackedRun
from gdexp.runs.sequence import Runs

__all__ = ["Runs", "Shelf", "TrackedRun", "load_runs"]
