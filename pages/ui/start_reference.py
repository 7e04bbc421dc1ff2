"""The grid of heads as differences from the pinned reference."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import choices, pinned, reference
from pages.ui.case import Case
from pages.ui.plain import plain
from pages.ui.waiting import waiting

if TYPE_CHECKING:
    from hsa.evaluation.grid_difference import GridDifference
    from hsa.evaluation.head_grid import HeadGrid
    from hsa.evaluation.scores import Score

WITHOUT_ASKING = 1024  # tokens; beyond, the work begins with a click


def pick_difference(asked: Case, grid: HeadGrid, score: Score) -> GridDifference | None:
    """The choice, and the differences where they are chosen; None where the score itself is."""
    if pinned.current() is None:
        return None
    st.checkbox(
        "Colour by its difference from the reference",
        help="Of the score above: this case − the pinned reference, head by head.",
        **choices.DIFFERENCE.widget(),
    )
    if not choices.DIFFERENCE.value:
        return None
    with waiting() as progress:
        other = reference.beside(asked, progress)
    if other is None:
        reference.says_why_not(asked)
        return None
    of_reference = _grid_of(other)
    return None if of_reference is None else _compared(grid, of_reference, score)


def _grid_of(other: Case) -> HeadGrid | None:
    """The reference's grid; long texts are asked about first."""
    kept = other.kept_grid()
    if kept is not None:
        return kept
    offer = st.empty()
    if len(other.tokens) > WITHOUT_ASKING:
        with offer.container():
            st.caption(
                f"All heads of the reference's {len(other.tokens):,} tokens take about half a "
                "minute."
            )
            if not st.button("Measure the reference", key="measure-reference"):
                return None
        offer.empty()
    with waiting() as progress:
        return other.head_grid(progress)


def _compared(grid: HeadGrid, of_reference: HeadGrid, score: Score) -> GridDifference:
    from hsa.evaluation.grid_difference import grid_difference
    from hsa.figures.head_grid import shown, shown_difference

    found = grid_difference(grid, of_reference, score)
    layer, head = found.most_changed()
    said = (
        f"{score.title}, this case − reference: {shown_difference(score, found.mean)} on average "
        f"over the heads; most in layer {layer}, head {head}, "
        f"{shown(score, float(found.case[layer, head]))} where the reference has "
        f"{shown(score, float(found.reference[layer, head]))}."
    )
    if grid.tokens != of_reference.tokens:
        said += (
            f" The texts have {grid.tokens:,} and {of_reference.tokens:,} tokens: longer texts "
            "leave more keys to splats, so part of a difference is length."
        )
    st.caption(plain(said))
    return found
