"""How closely the rows of this head agree."""

from __future__ import annotations

import streamlit as st

from pages.ui import choices
from pages.ui.compare_view import HeadView
from pages.ui.take_away import CAMERA

CURVES = "compare-agreement"


def agreement(view: HeadView, query: int | None) -> None:
    """Means, and curves over the queries with the current one marked; a click moves to a row."""
    from hsa.figures.comparison_agreement import agreement_figure, agreement_table

    st.subheader("Agreement, row by row", anchor=False)
    stretch = " shown" if view.partial else ""
    st.caption(
        f"HSA beside the same cut with its splats switched off, over the {len(view.shown):,} "
        f"queries{stretch}. Click a point to move to its row."
    )

    def clicked() -> None:
        points = st.session_state[CURVES].selection.points
        if points:
            at = int(points[0]["x"])
            choices.CELL.choose((at, view.compared.largest_difference(at - view.first)))

    column = st.column_config.NumberColumn
    st.dataframe(
        agreement_table(view.compared),
        hide_index=True,
        column_config={
            "method": "method",
            "output_error": column(
                "output error", format="percent", help="‖Ô − O‖ / ‖O‖ over these queries."
            ),
            "total_variation": column(
                "total variation", format="%.4f",
                help="½ Σ |Â − A| of a row, mean over rows; tilted weights as they are used.",
            ),
            "kl_nats": column(
                "KL, nats", format="%.4f",
                help="KL(method ‖ standard) of a row. A logarithm needs weights that are not "
                "negative, so HSA stands here with its weights before the tilt.",
            ),
            "top_overlap": column(
                "top-10 overlap", format="percent",
                help="Share of standard attention's 10 heaviest keys among the method's 10 "
                "heaviest. A dropped key is never among them.",
            ),
        },
    )  # fmt: skip
    if view.difference is None:
        st.caption(
            "HSA's tilted weights may fall below zero. Total variation and overlap take them as "
            "they are; KL takes the untilted ones, which share a closed splat's mass evenly."
        )
    st.plotly_chart(
        agreement_figure(view.compared, view.strings, query),
        key=CURVES,
        on_select=clicked,
        selection_mode="points",
        config=CAMERA,
    )
