"""The three linked maps, and the cell chosen in them, beside them, or in a link."""

from __future__ import annotations

import streamlit as st

from pages.ui import choices, engine
from pages.ui.compare_view import HeadView
from pages.ui.heatmap import Panel, encode, linked_heatmaps
from pages.ui.plain import plain

MAP = "compare-map"
QUERY, KEY = "ask-cell-query", "ask-cell-key"
NOTICE = "compare-notice"
SCALES = {"linear": "linear", "gamma": "square root", "log": "log"}
MEASURES = {"weight": "weight A", "contribution": "contribution ‖A v‖"}


def keep_cell_sound(view: HeadView) -> None:
    """Let go of a cell that is not of this text or that the query cannot see."""
    cell = choices.CELL.value
    if cell is None:
        return
    query, key = cell
    if query not in view.shown or key >= len(view.strings):
        refused = f"this text has positions 0 to {len(view.strings) - 1:,}"
    elif not view.visible(query, key):
        refused = "the model is causal: a query sees no later key"
    else:
        return
    choices.CELL.choose(None)
    st.session_state[NOTICE] = f"There is no cell of query {query:,} and key {key:,}: {refused}."


def maps(view: HeadView) -> None:
    """Standard | HSA | HSA − standard; a click chooses the cell."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox(
            "Shown", list(MEASURES), format_func=lambda name: MEASURES[name], width=220,
            help="Weight is how much of the row's attention a key receives; contribution is the "
            "length of what it adds to the output. A large weight on a short value adds little.",
            **choices.MEASURE.widget(),
        )  # fmt: skip
        st.selectbox(
            "Colour scale", list(SCALES), format_func=lambda name: SCALES[name], width=160,
            **choices.SCALE.widget(),
        )  # fmt: skip
        if view.first == 0:
            st.checkbox(
                "Hide the first token",
                help="Many heads rest on the first token, which flattens all other colours.",
                **choices.HIDE_FIRST.widget(),
            )
    cell = choices.CELL.value
    st.session_state[MAP] = _in_maps(view, cell)

    def clicked() -> None:
        at = st.session_state[MAP]
        choices.CELL.choose(None if at is None else (at[0] + view.first, at[1] + view.first))

    tokens = [view.strings[at] for at in view.shown]
    if view.first:
        st.caption(f"Numbers after # on the maps count from position {view.first:,}.")
    linked_heatmaps(
        (), tokens, tokens, key=MAP, height=560, on_select=clicked, blob=_blob(view, tokens)
    )


def pick_cell(view: HeadView) -> None:
    """Query and key by select box: the way without a mouse."""
    cell = choices.CELL.value
    chosen = {QUERY: None if cell is None else cell[0], KEY: None if cell is None else cell[1]}
    for name, at in chosen.items():
        if st.session_state.get(name) != at:
            st.session_state[name] = at

    def label(at: int) -> str:
        from hsa.figures.token_label import token_label

        return f"{at} · {token_label(view.strings[at])}"

    def query_heard() -> None:
        query, key = st.session_state[QUERY], st.session_state[KEY]
        if query is None:
            choices.CELL.choose(None)
        elif key is None or not view.visible(query, key):
            _most_different(view, query)
        else:
            choices.CELL.choose((query, key))

    def key_heard() -> None:
        query, key = st.session_state[QUERY], st.session_state[KEY]
        if key is None:
            choices.CELL.choose(None)
            return
        if query is None:
            query = max(key, view.first)
        if view.visible(query, key):
            choices.CELL.choose((query, key))
        else:
            st.session_state[NOTICE] = (
                f"Query {query:,} cannot see key {key:,}: the model is causal. Choose a later "
                "query first."
            )

    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox(
            "Query (looks)", view.shown, format_func=label, key=QUERY, on_change=query_heard,
            index=None, placeholder="position or token", width=230,
        )  # fmt: skip
        st.selectbox(
            "Key (is looked at)", range(len(view.strings)), format_func=label, key=KEY,
            on_change=key_heard, index=None, placeholder="position or token", width=230,
        )  # fmt: skip
        worst = view.compared.worst_row() + view.first
        st.button(
            "Jump to the worst row",
            key="worst-row",
            help="The query whose weights differ most in total variation, and in its row the key "
            "whose weight differs most.",
            on_click=_most_different,
            args=(view, worst),
        )
        st.button(
            "Release",
            key="release-cell",
            disabled=cell is None,
            help="Or press Esc on the maps.",
            on_click=choices.CELL.choose,
            args=(None,),
        )
    if notice := st.session_state.pop(NOTICE, None):
        st.warning(plain(notice))


def _most_different(view: HeadView, query: int) -> None:
    choices.CELL.choose((query, view.compared.largest_difference(query - view.first)))


def _in_maps(view: HeadView, cell: tuple[int, int] | None) -> tuple[int, int] | None:
    if cell is None or cell[1] not in view.shown:
        return None
    return cell[0] - view.first, cell[1] - view.first


def _blob(view: HeadView, tokens: list[str]) -> bytes:
    measure, scale = choices.MEASURE.value, choices.SCALE.value
    hide_first = choices.HIDE_FIRST.value and view.first == 0

    def make() -> bytes:
        standard, hsa, difference = (
            panel.numpy()
            for panel in view.compared.maps(measure, slice(view.shown.start, view.shown.stop))
        )
        unit = "weight" if measure == "weight" else "‖A v‖"
        apart = "" if measure == "weight" else "difference of the two norms"
        if view.compared.equal():
            difference, apart = 0 * difference, "equal, but for rounding"
        return encode(
            (
                Panel("Standard", standard, "sequential", unit),
                Panel("HSA", hsa, "sequential", unit),
                Panel("HSA − standard", difference, "diverging", unit, apart),
            ),
            tokens,
            tokens,
            scale=scale,
            hide_first_key=hide_first,
            causal=view.compared.causal,
        )

    return engine.kept((*view.key, "blob", measure, scale, hide_first), "Drawing the maps", make)
