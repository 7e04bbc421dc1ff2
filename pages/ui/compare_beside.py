"""The head in the pinned reference, beside it in the case at hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import choices, cost, engine, pinned, reference
from pages.ui.compare_view import MOST_SHOWN, HeadView, head_view
from pages.ui.heatmap import Panel, encode, linked_heatmaps
from pages.ui.plain import plain
from pages.ui.refusals import refusals
from pages.ui.terms import means
from pages.ui.waiting import waiting

if TYPE_CHECKING:
    from torch import Tensor

    from hsa.evaluation.alignment import Alignment
    from hsa.evaluation.paired_head import RowsApart

MAP = "beside-map"
SVG = {"displaylogo": False, "toImageButtonOptions": {"format": "svg"}}


def beside_reference(view: HeadView, query: int | None) -> None:
    """Numbers as pairs; maps and the chosen row where the prompts align. Nothing without a pin."""
    if pinned.current() is None:
        return
    from hsa.evaluation.alignment import align, sentence

    st.subheader("Beside the pinned reference", anchor=False, help=means("Reference"))
    with refusals(), waiting() as progress:
        other = reference.beside(view.asked, progress)
        if other is None:
            reference.says_why_not(view.asked)
            return
        first = min(view.first, max(0, len(other.tokens) - MOST_SHOWN))
        beside = head_view(other, view.layer, view.head, first, progress)
    # The cost drawer speaks of the case, not of what stands beside it.
    compared = view.compared
    cost.current().read(compared.everything_read, compared.keys_seen, len(view.strings))
    _numbers(view, beside)
    found = align(view.asked.tokens.ids, other.tokens.ids)
    st.caption(plain(sentence(found)))
    if found.aligned:
        _maps(view, beside, found)
        _row(view, beside, query)


def _numbers(view: HeadView, beside: HeadView) -> None:
    from hsa.evaluation.paired_head import paired_numbers
    from hsa.figures.paired_tables import paired_table

    said = f"Layer {view.layer}, head {view.head} in both; a difference is this case − reference."
    if view.asked.ready.identity != beside.asked.ready.identity:
        said += " The two were read through different fields."
    if view.partial or beside.partial:
        said += f" Of texts beyond {MOST_SHOWN:,} tokens, over the queries shown."
    if (view.difference is None) != (beside.difference is None):
        blocked, plain_one = ("case", "reference") if view.difference else ("reference", "case")
        said += (
            f" Of the two only the {blocked} is in blocks: the reads of the {plain_one} reach "
            "every key."
        )
    st.caption(plain(said))
    numbers = paired_numbers(view.compared, _mass(view), beside.compared, _mass(beside))
    st.dataframe(paired_table(numbers), hide_index=True, height="content")


def _mass(view: HeadView) -> Tensor:
    from hsa.evaluation.paired_head import answered_mass

    return engine.kept(
        (*view.key, "answered"),
        "What answers, one head",
        lambda: answered_mass(view.result, view.framed, 0),
    )


def _maps(view: HeadView, beside: HeadView, found: Alignment) -> None:
    """HSA here | HSA in the reference | their signed difference; a click chooses the cell."""
    cell = choices.CELL.value
    inside = cell is not None and cell[1] in view.shown
    st.session_state[MAP] = (
        (cell[0] - view.first, cell[1] - view.first) if cell and inside else None
    )

    def clicked() -> None:
        at = st.session_state[MAP]
        choices.CELL.choose(None if at is None else (at[0] + view.first, at[1] + view.first))

    apart = _apart(view, beside)
    st.markdown(
        f"Weights of a row differ from the reference's by **{apart.hsa:.3g}** in HSA and by "
        f"**{apart.standard:.3g}** in standard attention (½ Σ of the differences without their "
        "sign, mean over the rows shown)."
    )
    tokens = _labels(view, beside, found)
    linked_heatmaps(
        (), tokens, tokens, key=MAP, height=560, on_select=clicked,
        blob=_blob(view, beside, tokens),
    )  # fmt: skip


def _apart(view: HeadView, beside: HeadView) -> RowsApart:
    from hsa.evaluation.paired_head import rows_apart

    return engine.kept(
        ("paired", view.key, beside.key),
        "Beside the reference",
        lambda: rows_apart(view.compared, beside.compared),
    )


def _labels(view: HeadView, beside: HeadView, found: Alignment) -> list[str]:
    """Tokens of the case; where the reference has another one, both."""
    other = set(found.differing)
    return [
        f"{view.strings[at]} / {beside.strings[at]}" if at in other else view.strings[at]
        for at in view.shown
    ]


def _blob(view: HeadView, beside: HeadView, tokens: list[str]) -> bytes:
    measure, scale = choices.MEASURE.value, choices.SCALE.value
    hide_first = choices.HIDE_FIRST.value and view.first == 0

    def make() -> bytes:
        from hsa.evaluation.paired_head import paired_weights

        keys = slice(view.shown.start, view.shown.stop)
        weights = paired_weights(view.compared, beside.compared, measure, keys)
        unit = "weight" if measure == "weight" else "‖A v‖"
        return encode(
            (
                Panel("HSA, this case", weights.case.numpy(), "sequential", unit),
                Panel("HSA, reference", weights.reference.numpy(), "sequential", unit),
                Panel("This case − reference", weights.difference.numpy(), "diverging", unit),
            ),
            tokens,
            tokens,
            scale=scale,
            hide_first_key=hide_first,
            causal=view.compared.causal,
        )

    key = ("paired", view.key, beside.key, "blob", measure, scale, hide_first)
    return engine.kept(key, "Drawing the maps", make)


def _row(view: HeadView, beside: HeadView, query: int | None) -> None:
    """The chosen query's members in both cuts."""
    if query is None:
        st.caption("Choose a cell, and what answers its query is compared here too.")
        return
    from hsa.evaluation.paired_row import paired_row
    from hsa.explanation.contributors import explain_row
    from hsa.figures.paired_row import paired_row_figure, paired_row_table

    row = paired_row(
        explain_row(view.result, view.framed, view.strings, 0, query),
        explain_row(beside.result, beside.framed, beside.strings, 0, query),
    )
    st.markdown(f"**What answers query {query:,} in both**")
    st.caption(
        plain(
            "Members of its two cuts, those that differ most first; behind each bar the two "
            "weights. Splats are paired by level and id, tokens by position. A member that one "
            "cut lacks counts zero there: something above or below it answers for its keys."
        )
    )
    st.plotly_chart(paired_row_figure(row), key="beside-row", config=SVG)
    column = st.column_config.NumberColumn
    with st.expander(f"All members of both cuts as a table ({len(row.members):,})"):
        st.dataframe(
            paired_row_table(row),
            hide_index=True,
            height=300,
            column_config={
                "case": column("this case", format="%.6f"),
                "reference": column("reference", format="%.6f"),
                "difference": column("difference", format="%+.6f"),
                "case_standing": "in this case",
                "reference_standing": "in the reference",
            },
        )
