"""What a grid of heads says in a few numbers, and those in one sentence."""

from __future__ import annotations

from dataclasses import dataclass

from hsa.evaluation.head_grid import HeadGrid


@dataclass(frozen=True)
class GridSummary:
    """Errors over heads, HSA's beside those of the tokens that it read without its splats."""

    heads: int
    median_error: float
    mean_error: float
    worst_error: float
    worst_head: tuple[int, int]
    median_opened_only: float
    mean_opened_only: float
    reads: float
    near_keys: float
    visible_keys: float
    exact_rows: float
    raised_rows: float


def summarise(grid: HeadGrid) -> GridSummary:
    """The summary of a grid."""
    worst = int(grid.error.argmax())
    return GridSummary(
        heads=grid.error.numel(),
        median_error=float(grid.error.median()),
        mean_error=float(grid.error.mean()),
        worst_error=float(grid.error.max()),
        worst_head=divmod(worst, grid.heads),
        median_opened_only=float(grid.opened_only_error.median()),
        mean_opened_only=float(grid.opened_only_error.mean()),
        reads=float(grid.reads.mean()),
        near_keys=grid.near_keys,
        visible_keys=grid.visible_keys,
        exact_rows=float(grid.exact_rows.mean()),
        raised_rows=float(grid.raised_rows.mean()),
    )


def sentence(summary: GridSummary) -> str:
    """The summary as one would say it."""
    layer, head = summary.worst_head
    return (
        f"Over {summary.heads} heads, a query of HSA read {summary.near_keys:,.0f} near tokens and "
        f"{summary.reads:,.0f} splats or far tokens, where standard attention read "
        f"{summary.visible_keys:,.0f} keys. Its output differs by {summary.median_error:.1%} on "
        f"the median head ({summary.mean_error:.1%} on average, {summary.worst_error:.1%} on the "
        f"worst, layer {layer} head {head}). The tokens that it read, with the closed splats "
        f"dropped, leave {summary.median_opened_only:.1%} on the median head "
        f"({summary.mean_opened_only:.1%} on average)."
    )
