"""The splat's tokens in their sentences, and all of them as a table."""

from __future__ import annotations

import streamlit as st

from pages.ui.held_text import held_text
from pages.ui.portrait_view import SplatView

MOST = 12
"""Stretches of the text shown before all are asked for."""


def tokens_in_text(view: SplatView) -> None:
    """Sentences around its tokens, those with most attention unless all are asked for."""
    from hsa.figures.portrait_tables import held_table
    from hsa.specialization.excerpts import heaviest, passages

    shown = view.shown
    every = passages(view.strings, shown.positions.tolist())
    chosen = heaviest(every, shown.positions.tolist(), shown.received_standard.tolist(), MOST)
    st.markdown("**Its tokens, where they stand**")
    if len(chosen) < len(every):
        st.caption(
            f"{len(chosen)} of {len(every)} stretches of the text, those whose tokens receive most."
        )
        if st.toggle("All stretches", key="portrait-all-stretches"):
            chosen = every
    held_text(shown, view.strings, chosen, key="portrait-held")
    share = st.column_config.NumberColumn
    with st.expander(f"All of them as a table ({len(shown.positions):,})"):
        st.caption(
            "Received: share of all attention of this head. Given: share of the token's own row, "
            "as a query, that goes to this splat's keys."
        )
        st.dataframe(
            held_table(shown),
            hide_index=True,
            height=260,
            column_config={
                "received_standard": share("received, standard", format="percent"),
                "received_hsa": share("received, HSA", format="percent"),
                "given_standard": share("given, standard", format="percent"),
                "given_hsa": share("given, HSA", format="percent"),
            },
        )
