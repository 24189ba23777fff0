"""An order of points in which an iteration with their inverses for rates is stable."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_TIE = 1e-9


def stable_order(points: Sequence[float]) -> list[float]:
    """Return points > 0 in an order in which an iteration with rates 1/point is stable.

    This is Leja's order: first the largest point, then always the point with the largest product
    of distances to those before it, or the larger of two such points. It keeps the errors within
    a cycle and the rounding errors small for any number of points (B. Fischer, L. Reichel, A
    stable Richardson iteration method for complex linear systems, Numerische Mathematik 54,
    1988); Lebedev and Finogenov's order does so for powers of two only.
    """
    rest: npt.NDArray[np.float64] = np.array(sorted(points, reverse=True), dtype=np.float64)
    logs = np.zeros_like(rest)
    ordered: list[float] = []
    while rest.size:
        # Symmetric points are equal up to rounding, which differs between machines.
        chosen = int(np.flatnonzero(logs >= logs.max() - _TIE)[0])
        point = rest[chosen]
        ordered.append(float(point))
        rest, logs = np.delete(rest, chosen), np.delete(logs, chosen)
        with np.errstate(divide="ignore"):
            logs += np.log(np.abs(rest - point))
    return ordered


def portable_order(points: Sequence[float]) -> list[float]:
    """Return points in the same order, found by operations that every machine rounds alike.

    The products are kept as mantissas and exponents; their logarithms have other last bits on
    other machines, and `stable_order` may then take another one of two nearly equal products.
    """
    rest: npt.NDArray[np.float64] = np.array(sorted(points, reverse=True), dtype=np.float64)
    mantissas: npt.NDArray[np.float64] = np.ones_like(rest)
    exponents: npt.NDArray[np.int64] = np.zeros(rest.size, dtype=np.int64)
    ordered: list[float] = []
    while rest.size:
        top = int(exponents[mantissas > 0].max(initial=-(2**62)))
        sizes = np.ldexp(mantissas, np.maximum(exponents - top, -2000))
        chosen = int(np.flatnonzero(sizes >= sizes.max() * (1 - _TIE))[0])
        point = rest[chosen]
        ordered.append(float(point))
        rest, mantissas = np.delete(rest, chosen), np.delete(mantissas, chosen)
        mantissas, grown = np.frexp(mantissas * np.abs(rest - point))
        exponents = np.delete(exponents, chosen) + grown
    return ordered
