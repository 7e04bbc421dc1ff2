"""What the splats of one head serve: the matrix, the table, and ways to a splat."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import choices
from pages.ui.plain import plain
from pages.ui.take_away import CAMERA

if TYPE_CHECKING:
    from hsa.specialization.findings import Finding, Findings

MATRIX, TABLE = "functions-matrix", "functions-table"


def one_head(findings: Findings, layer: int, head: int) -> None:
    """The matrix of splats × functions, and every finding as a table."""
    from hsa.figures.functions import MOST_ROWS, function_matrix_figure, matrix_findings

    st.subheader(f"Layer {layer}, head {head}", anchor=False)
    labels = findings.labels(layer, head)
    if layer not in findings.layers:
        st.info(f"Layer {layer} was not measured.")
        return
    if not labels:
        st.info("No splat of this head serves anything that holds in both halves of the texts.")
        return
    found = [one for splat in labels for one in findings.of_splat(layer, head, splat)]
    shown = "" if len(labels) <= MOST_ROWS else f" Shown are the {MOST_ROWS} it tells most about."
    st.caption(
        plain(
            f"{len(labels):,} splats serve something: tokens are those of key/value head "
            f"{head // findings.group}, pairs those of query head {head}. Of each splat the three "
            "most telling functions of each kind are known. Colour: what the function tells of the "
            f"splat at least, in bits.{shown}"
        )
    )
    st.plotly_chart(
        function_matrix_figure(matrix_findings(findings, layer, head), choices.SPLAT.value),
        key=MATRIX, on_select=_clicked, selection_mode="points", config=CAMERA,
    )  # fmt: skip
    _chosen(findings, layer, head)
    _table(found)


def _chosen(findings: Findings, layer: int, head: int) -> None:
    splat = choices.SPLAT.value
    if splat is None:
        st.caption("Click a cell, or a row of the table, to choose its splat.")
        return
    for one in findings.of_splat(layer, head, splat):
        st.markdown(plain(f"Splat {splat} {one.label}: {one.evidence}"))
    with st.container(horizontal=True):
        st.page_link("pages/portrait.py", label=f"**Portrait of splat {splat} →**")
        st.page_link("pages/atlas.py", label="**Its place in the atlas →**")


def _table(found: list[Finding]) -> None:
    from hsa.figures.functions import findings_table

    table = findings_table(found).sort_values("bits", ascending=False)

    def clicked() -> None:
        rows = st.session_state[TABLE].selection.rows
        if rows:
            choices.SPLAT.choose(int(table.iloc[rows[0]]["splat"]))

    with st.expander(f"All findings of this head as a table ({len(table):,})"):
        st.dataframe(
            table, key=TABLE, hide_index=True, on_select=clicked, selection_mode="single-row",
            column_config={
                name: st.column_config.NumberColumn(format=form)
                for name, form in {
                    "share": "percent", "like keys": "percent", "odds ×": "%.3g", "from": "%.3g",
                    "to": "%.3g", "bits": "%.2f", "q": "%.1e", "p confirming": "%.1e",
                }.items()
            },
        )  # fmt: skip


def _clicked() -> None:
    points = st.session_state[MATRIX].selection.points
    if points and points[0].get("customdata") is not None:
        given = points[0]["customdata"]
        choices.SPLAT.choose(int(given[0] if isinstance(given, list) else given))
