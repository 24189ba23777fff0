"""An order of points in which an iteration with their inverses for rates is stable."""

from __future__ import annotations

_TIE = 1e-9
