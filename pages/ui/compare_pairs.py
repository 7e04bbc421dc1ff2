"""The strongest pairs of the head, each a way to its cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import choices, engine, served
from pages.ui.compare_view import HeadView

if TYPE_CHECKING:
    from hsa.explanation.top_pairs import TopPairs

TABLE, PAIRS = "compare-pairs", 12


def strongest_pairs(view: HeadView) -> None:
    """A table of pairs with their main contributors, made when it is opened."""
    opened = st.expander(
        "Strongest pairs of this head, with their splats", on_change="rerun", key="pairs-open"
    )
    if not opened.open:
        return
    with opened:
        near = st.toggle(
            "Near keys too", value=False, key="pairs-near",
            help="First tokens and the last few: every head attends to them.",
        )  # fmt: skip
        found = _found(view, near)
        if not found.pairs:
            st.caption("Every key is near here: there is no pair beyond.")
            return
        st.caption("Choose a row to go to its cell. Behind a splat: its share of the query's row.")

        def clicked() -> None:
            rows = st.session_state[TABLE].selection.rows
            if rows:
                pair = found.pairs[rows[0]].explanation
                choices.CELL.choose((pair.query, pair.key))

        st.dataframe(
            _table(found),
            key=TABLE,
            hide_index=True,
            on_select=clicked,
            selection_mode="single-row",
            column_config={
                "weight": st.column_config.NumberColumn(format="%.4f"),
                "contribution": st.column_config.NumberColumn("‖A v‖", format="%.4g"),
            },
        )


def _found(view: HeadView, near: bool) -> TopPairs:
    from hsa.explanation.top_pairs import top_pairs

    measure = choices.MEASURE.value
    return engine.kept(
        (*view.key, "pairs", measure, near),
        "Strongest pairs",
        lambda: top_pairs(
            view.result,
            view.framed,
            view.strings,
            [0],
            PAIRS,
            near=near,
            by=measure,
            labels=served.labels(view.asked.loaded, view.asked.ready, view.layer, view.head),
        ),
    )


def _table(found: TopPairs) -> dict[str, list]:
    from hsa.figures.token_label import token_label

    pairs = [pair.explanation for pair in found.pairs]
    columns = {
        "query": [f"{pair.query} {token_label(pair.query_token)}" for pair in pairs],
        "key": [f"{pair.key} {token_label(pair.key_token)}" for pair in pairs],
        "weight": [pair.weight for pair in pairs],
        "contribution": [pair.contribution for pair in pairs],
        "read as": [pair.reading for pair in pairs],
    }
    for place, level in enumerate(("Document", "Section", "Phrase")):
        splats = [pair.main_contributors[place] for pair in found.pairs]
        columns[level] = [f"{splat.splat_id} ({splat.contribution:.1%})" for splat in splats]
        if level == "Phrase":
            columns["the Phrase"] = [splat.specialisation or "" for splat in splats]
    return columns
