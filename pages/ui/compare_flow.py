"""Attention flow over layers: what the chosen query draws from, on demand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import choices, engine
from pages.ui.compare_view import HeadView
from pages.ui.plain import plain
from pages.ui.refusals import refusals
from pages.ui.terms import means
from pages.ui.waiting import waiting

if TYPE_CHECKING:
    from hsa.evaluation.rollout import Rollout

ASKED = "flow-asked"
"""Session key: the text for which it was asked, so that another query of it is shown at once."""

MOSTLY = 0.5
"""From this share of the first token on it is said why."""

SVG = {"displaylogo": False, "toImageButtonOptions": {"format": "svg"}}


def flow(view: HeadView, query: int, key: int) -> None:
    """A button, and then the tokens that the query draws from at three depths of the model."""
    from hsa.evaluation.rollout import CAVEAT, MOST_TOKENS

    st.subheader("Attention flow over layers", anchor=False, help=means("Attention flow (rollout)"))
    st.caption(f"{CAVEAT} Of standard attention, whatever head is chosen.")
    count = len(view.strings)
    if count > MOST_TOKENS:
        st.info(
            f"It is worked out for texts of up to {MOST_TOKENS} tokens, and this one has "
            f"{count:,}. Choose a shorter text."
        )
        return
    name = (view.asked.loaded.fingerprint, view.asked.tokens.ids)
    if st.session_state.get(ASKED) != name:
        slot = st.empty()
        if not slot.button("Follow the attention of all layers", key="flow-ask"):
            return
        slot.empty()
        st.session_state[ASKED] = name
    _shown(view, _found(view), query, key)


def _found(view: HeadView) -> Rollout:
    from hsa.evaluation.rollout import rollout

    loaded, tokens = view.asked.loaded, view.asked.tokens
    with refusals(), waiting() as progress:
        return engine.kept(
            ("rollout", loaded.fingerprint, tokens.ids),
            "Attention flow",
            lambda: rollout(loaded, tokens, progress=progress),
        )


def _shown(view: HeadView, found: Rollout, query: int, key: int) -> None:
    from hsa.figures.flow import depth_name, flow_figure, flow_table
    from hsa.figures.token_label import token_label

    table = flow_table(found, view.strings, query)
    last = depth_name(found.depths[-1])
    own, first = (float(found.flow[-1, query, at]) for at in (query, 0))
    st.markdown(
        plain(
            f"{last.capitalize()} position {query} “{token_label(view.strings[query])}” draws "
            f"{_share(own)} from itself and {_share(first)} from the first token; its row sums to "
            f"{float(found.flow[-1, query].sum()):.4f}."
        )
    )
    if first > MOSTLY and query > 0:
        st.caption(
            "Heads rest on the first token where they look for nothing, and the product counts "
            "this as drawing from it in every layer, so that little is left for others. Fewer "
            "layers say more here."
        )
    drawn = table
    if choices.HIDE_FIRST.value:
        drawn = table.query("position != 0")
        st.caption("The first token is left out of the bars, as of the maps above.")
    if drawn.empty:
        st.caption("There is nothing besides the first token.")
        return
    largest = float(drawn[[depth_name(depth) for depth in found.depths]].to_numpy().max())
    for place, depth in zip(st.columns(len(found.depths)), found.depths, strict=True):
        with place:
            st.markdown(
                f"**{plain(depth_name(depth).capitalize())}** of {view.asked.loaded.layers}"
            )
            st.plotly_chart(
                flow_figure(drawn, depth, largest, key), key=f"flow-{depth}", config=SVG
            )
    with st.expander(f"All of them as a table ({len(table):,})"):
        share = st.column_config.NumberColumn(format="%.6f")
        st.dataframe(
            table, hide_index=True, height=300,
            column_config={depth_name(depth): share for depth in found.depths},
        )  # fmt: skip


def _share(share: float) -> str:
    return f"{share:.2%}" if share == 0 or share >= 1e-4 else "less than 0.01%"
