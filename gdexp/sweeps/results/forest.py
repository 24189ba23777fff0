"""A random forest of regression trees, for the importance of its columns.

scikit-learn's forests are the same but for the random numbers; to import them takes longer than
most sweeps. Here all trees grow together, one level at a time, so that NumPy does the work.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

SAME = 1e-7
"""Values of a column that are closer are equal: no branch lies between them."""


def impurity_decreases(columns: Floats, values: Floats, trees: int, seed: int) -> Floats:
    """Return the share of each column in what the branches of a forest explain.

    Each tree learns from a bootstrap sample and grows until all values of a leaf are equal. A
    branch takes the column and the place that decrease the squared error most. A column's part of
    a tree is the sum of these decreases; its share is the mean of its parts of all trees, where
    the parts of a tree sum to 1 (L. Breiman et al., Classification and Regression Trees, 1984;
    L. Breiman, Random Forests, 2001).

    Args:
        columns: of shape (rows, columns).
        values: of each row.
        trees: how many.
        seed: of the bootstrap samples, and of the choice between equally good columns.

    Returns:
        The shares; their sum is 1, or 0 where no branch explains anything.
    """
    random = np.random.default_rng(seed)
    count, width = columns.shape
    rows = random.integers(0, count, trees * count)
    node = np.repeat(np.arange(trees), count)  # the open node that each sample is in
    tree = np.arange(trees)  # the tree of each open node
    parts = np.zeros((trees, width))
    while len(rows):
        gains, cuts = _best_cuts(columns, values, rows, node, len(tree))
        column = _choice(gains, random)
        at = np.arange(len(tree))
        gain = gains[at, column]
        grows = np.isfinite(gain)
        np.add.at(parts, (tree[grows], column[grows]), gain[grows])
        kept = grows[node]
        rows, node = rows[kept], node[kept]
        right = columns[rows, column[node]] > cuts[node, column[node]]
        opened, node = np.unique(2 * node + right, return_inverse=True)
        tree = tree[opened // 2]
    sums = parts.sum(axis=1, keepdims=True)
    explained = parts[sums[:, 0] > 0] / sums[sums[:, 0] > 0]
    shares: Floats = explained.mean(axis=0) if len(explained) else np.zeros(width)
    return shares


def _best_cuts(
    columns: Floats, values: Floats, rows: Integers, node: Integers, nodes: int
) -> tuple[Floats, Floats]:
    """Return, for each node and column, the largest decrease by a cut, and where the cut is.

    The decrease is -inf where there is no cut: the node's values are equal, or the column's.
    """
    own = values[rows]
    sizes = np.bincount(node, minlength=nodes)
    means = np.bincount(node, own, nodes) / sizes
    own = own - means[node]  # so that sums of squares lose no digits
    errors = np.bincount(node, own * own, nodes)
    is_flat = errors <= 1e-14 * np.maximum(means * means, 1e-300) * sizes
    starts = np.concatenate(([0], np.cumsum(sizes)[:-1]))
    gains = np.full((nodes, columns.shape[1]), -np.inf)
    cuts = np.zeros_like(gains)
    for at in range(columns.shape[1]):
        order = np.lexsort((columns[rows, at], node))
        x, y, of = columns[rows[order], at], own[order], node[order]
        left = np.arange(1, len(rows) + 1) - starts[of]
        total = np.cumsum(y)
        before = np.where(starts > 0, total[starts - 1], 0.0)
        sums = total - before[of]
        whole = (total[starts + sizes - 1] - before)[of]
        right = sizes[of] - left
        with np.errstate(divide="ignore", invalid="ignore"):
            gain = sums**2 / left + (whole - sums) ** 2 / right - whole**2 / sizes[of]
        possible = (right > 0) & ~is_flat[of]
        possible[:-1] &= x[1:] - x[:-1] > SAME
        possible[-1] = False
        gain = np.where(possible, np.maximum(gain, 0.0), -np.inf)
        gains[:, at] = np.maximum.reduceat(gain, starts)
        found = np.flatnonzero((gain == gains[of, at]) & possible)
        first, place = np.unique(of[found], return_index=True)
        best = found[place]
        cuts[first, at] = (x[best] + x[best + 1]) / 2
    return gains, cuts


def _choice(gains: Floats, random: np.random.Generator) -> Integers:
    """Return the column of the largest decrease of each node, one of them where several are."""
    largest = gains.max(axis=1, keepdims=True)
    equal = gains >= largest - 1e-9 * np.abs(np.where(np.isfinite(largest), largest, 0.0))
    chance = np.where(equal, random.random(gains.shape), -1.0)
    return np.asarray(chance.argmax(axis=1), dtype=np.int64)
