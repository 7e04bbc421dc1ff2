"""What this head loses without its Sections, its Documents, or both."""

from __future__ import annotations

import streamlit as st

from pages.ui import engine
from pages.ui.compare_view import HeadView
from pages.ui.plain import plain
from pages.ui.refusals import refusals
from pages.ui.terms import means
from pages.ui.waiting import waiting

SVG = {"displaylogo": False, "toImageButtonOptions": {"format": "svg"}}


def levels(view: HeadView) -> None:
    """A sentence, a table and a figure, made when they are opened."""
    opened = st.expander(
        "What does this head lose without its Sections?", on_change="rerun", key="levels-open"
    )
    if not opened.open:
        return
    with opened:
        if view.difference is not None:
            st.info(
                "Blocks of queries share what they open. Levels are switched off where each query "
                "opens for itself: choose “each query” under Opening."
            )
            return
        _shown(view)


def _shown(view: HeadView) -> None:
    from hsa.evaluation.without_levels import compare_levels
    from hsa.figures.levels import levels_figure, levels_sentence, levels_table

    with refusals(), waiting() as progress:
        progress("HSA with levels switched off", None)
        found = engine.kept(
            (*view.key, "levels"),
            "HSA with levels switched off",
            lambda: compare_levels(view.framed, view.result),
        )
    st.markdown(f"**{plain(levels_sentence(found))}**", help=means("Level", "Levels switched off"))
    st.caption(
        plain(
            "The same head computed again with whole levels of the field switched off. Each query "
            "may read what it reads with all levels on, and each level keeps the temper and tilt "
            "that were calibrated with all levels on."
        )
    )
    column = st.column_config.NumberColumn
    table = levels_table(found)
    st.dataframe(
        table[table.columns[:5]],
        hide_index=True,
        column_config={
            "levels": "levels",
            "output_error": column("output error", format="percent", help=means("Error")),
            "opened_only_error": column(
                "error without splats", format="percent",
                help=means("Error without splats", first="Of the cuts of this row."),
            ),
            "mean_reads": column("mean reads", format="%.1f", help=means("Reads")),
            "raised_rows": column(
                "queries past their reads",
                help="A query evaluates at least the splats that stand highest and hold its keys. "
                "Where these are more than it may read, it reads them all the same.",
            ),
        },
    )  # fmt: skip
    alone = found.named("Phrases alone")
    if alone.raised_rows:
        st.caption(
            f"Phrases alone cannot keep to these reads: {alone.raised_rows:,} of "
            f"{found.queries:,} queries have more Phrases than reads, and evaluate all of them. "
            "This is the reading that the levels above save."
        )
    st.plotly_chart(levels_figure(found), key="compare-levels", config=SVG)
    st.download_button(
        "Levels (CSV)", table.to_csv(index=False), key="levels-csv",
        file_name=f"levels-layer{view.layer}-head{view.head}.csv", mime="text/csv",
        on_click="ignore",
    )  # fmt: skip
