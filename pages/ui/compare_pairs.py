"""The strongest pairs of the head, each a way to its cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import choices, engine, served
from pages.ui.compare_view import HeadView
from pages.ui.take_away import file_button, in_file_name

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
    from hsa.figures.file_bytes import csv_bytes
    from hsa.figures.top_pairs import top_pairs_table

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

        table = top_pairs_table(found)

        def clicked() -> None:
            rows = st.session_state[TABLE].selection.rows
            if rows:
                pair = found.pairs[rows[0]].explanation
                choices.CELL.choose((pair.query, pair.key))

        st.dataframe(
            table,
            key=TABLE,
            hide_index=True,
            on_select=clicked,
            selection_mode="single-row",
            column_config={
                "weight": st.column_config.NumberColumn(format="%.4f"),
                "contribution": st.column_config.NumberColumn("‖A v‖", format="%.4g"),
            },
        )
        model = in_file_name(view.asked.loaded.name)
        file_button(
            "Strongest pairs (CSV)", f"{model}-layer{view.layer}-head{view.head}-pairs.csv",
            lambda: csv_bytes(table),
        )  # fmt: skip


def _found(view: HeadView, near: bool) -> TopPairs:
    from hsa.explanation.top_pairs import top_pairs

    measure = choices.MEASURE.value
    labels = served.labels(view.asked.loaded, view.asked.ready, view.layer, view.head)
    return engine.kept(
        (*view.key, "pairs", measure, near, tuple(labels.items())),
        "Strongest pairs",
        lambda: top_pairs(
            view.result,
            view.framed,
            view.strings,
            [0],
            PAIRS,
            near=near,
            by=measure,
            labels=labels,
        ),
    )
