"""Who chooses what is opened: each query, as the reference has it, or blocks of queries."""

from __future__ import annotations

import streamlit as st

from pages.ui import choices
from pages.ui.case import Case
from pages.ui.compare_view import HeadView

OPENINGS: dict[choices.Opening, str] = {
    "query": "each query (reference)",
    "block": "blocks of queries",
}


def pick_opening(asked: Case) -> None:
    """The choice."""
    st.radio(
        "Opening",
        list(OPENINGS),
        format_func=lambda name: OPENINGS[name],
        horizontal=True,
        help="What a query opens: each chooses for itself, or blocks of queries share what some "
        f"queries of {_choosing_block(asked.loaded.causal)} chose, which is how HSA runs fast "
        "inside the model. Blocks leave out the tilt.",
        **choices.OPENING.widget(),
    )


def _choosing_block(causal: bool) -> str:
    """Which block's queries choose what a block opens."""
    return "the block before" if causal else "their own block"


def difference_from_reference(view: HeadView) -> None:
    """How far blocked HSA is from the reference at the same reads."""
    if view.opening == "block" and view.difference is None:
        st.info(
            "These reads reach every key of this text: blocks have nothing to leave out, and each "
            "query reads all its far keys, as below. Ask for fewer reads in the side bar."
        )
    if view.difference is None or view.blocks is None:
        return
    found, plan = view.difference, view.blocks
    choosing = "one query" if plan.scored == 1 else f"{plan.scored} queries"
    st.markdown(
        f"Blocked HSA against the reference at the same reads: output error "
        f"**{found.blocked.error:.1%}** against **{found.reference.error:.1%}**; their weights "
        f"differ by **{found.weights:.2g}** on average, by {found.largest:.2g} at most; "
        f"everything read per query **{found.blocked.everything_read:.1f}** against "
        f"**{found.reference.everything_read:.1f}**."
    )
    st.caption(
        f"Blocks of {plan.block} queries share up to {plan.splats} closed splats and "
        f"{plan.tokens} far tokens, chosen by {choosing} of each head in "
        f"{_choosing_block(plan.causal)}. "
        "Beside them the reference: the same near keys, and for each query the reads that "
        "its block spent, choosing included, opened for itself and with the tilt. The maps and "
        "all below show blocked HSA."
    )
