"""Whether the reference fits into memory, asked before it begins."""

from __future__ import annotations

from hsa.attention.views import FramedLayer
from hsa.memory.needed import check_fits, reference_bytes


def check_rows(layer: FramedLayer, queries: int) -> None:
    """Refuse so many queries of a layer if their rows and cuts would not fit.

    Raises:
        InputError: with the estimate, and what is left.
    """
    groups, heads, tokens, dim = layer.q.shape
    needed = reference_bytes(
        groups, groups * heads, dim, tokens, queries, layer.tree.nodes, 2 * layer.near.step
    )
    check_fits(needed, f"HSA of {queries:,} queries over {tokens:,} tokens", "a shorter text")
