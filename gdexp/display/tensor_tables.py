"""Tensors and curves as text: numbers in rows, large tensors as size and range."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    import torch

MAX_ROWS, MAX_COLUMNS = 10, 6


def print_tensors(out: Console, named: Sequence[tuple[str, torch.Tensor]]) -> None:
    """Print tensors side by side, each under a heading; large ones as size and range."""
    grid = Table.grid(padding=(0, 4))
    for _ in named:
        grid.add_column()
    grid.add_row(*(f"[bold]{name}[/bold]" for name, _ in named))
    grid.add_row(*(format_tensor(value) for _, value in named))
    out.print(grid)


def format_tensor(value: torch.Tensor) -> str:
    """Return a tensor's numbers in rows, or its shape and range when there are many."""
    value = value.detach().cpu()
    rows = value.reshape(1, -1) if value.ndim < 2 else value.flatten(0, -2)
    if rows.shape[0] > MAX_ROWS or rows.shape[1] > MAX_COLUMNS:  # no copy of a large tensor
        shape = "×".join(map(str, value.shape))
        return f"{shape} numbers\nfrom {float(value.min()):.6g}\nto   {float(value.max()):.6g}"
    lines = [
        [f"{item:.4f}" if abs(item) < 1e4 else f"{item:.3e}" for item in row]
        for row in rows.double().tolist()
    ]
    width = max(len(item) for line in lines for item in line)
    return "\n".join("  ".join(item.rjust(width) for item in line) for line in lines)


def print_curve(
    out: Console, grid: torch.Tensor, wanted: torch.Tensor, fitted: torch.Tensor, rows: int = 9
) -> None:
    """Print the wanted function and the fitted one at a few points, and the largest error."""
    table = Table(box=None, padding=(0, 2), header_style="bold")
    for name in ("t", "wanted", "fitted", "error"):
        table.add_column(name, justify="right")
    last = len(grid) - 1
    for i in sorted({round(j * last / (rows - 1)) for j in range(rows)}):
        at, aim, found = (float(v[i]) for v in (grid, wanted, fitted))
        table.add_row(f"{at:.3f}", f"{aim:.4f}", f"{found:.4f}", f"{found - aim:+.4f}")
    out.print(table)
    out.print(f"largest error {(fitted - wanted).abs().max():.4g} at {last + 1} points")
