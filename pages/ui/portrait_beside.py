"""The splat in the pinned reference, beside it in the prompt at hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import engine, pinned, reference
from pages.ui.case import Case
from pages.ui.held_text import held_text
from pages.ui.plain import plain
from pages.ui.portrait_view import SplatView, lives, splat_view
from pages.ui.refusals import refusals
from pages.ui.terms import means
from pages.ui.waiting import waiting

if TYPE_CHECKING:
    from hsa.evaluation.paired_portrait import PairedPortrait

MOST = 6
"""Stretches of each text that are shown."""
SVG = {"displaylogo": False, "toImageButtonOptions": {"format": "svg"}}


def beside_reference(view: SplatView) -> None:
    """Numbers as pairs, profiles in one figure, tokens side by side; nothing without a pin."""
    if pinned.current() is None:
        return
    st.subheader("Beside the pinned reference", anchor=False, help=means("Reference"))
    with refusals(), waiting() as progress:
        other = reference.beside(view.asked, progress)
        if other is None:
            reference.says_why_not(view.asked)
            return
        if not lives(other, view.layer, view.head, view.shown.splat_id):
            _says_it_lacks(view)
            return
        beside = splat_view(other, view.layer, view.head, view.shown.splat_id, progress)
    _show(view, beside, _paired(view, beside))


def _says_it_lacks(view: SplatView) -> None:
    st.info(
        plain(
            f"The reference's field has no splat {view.shown.splat_id} in layer {view.layer}, head "
            f"{view.head}: it was born after the two fields parted, or the fields were fitted "
            "apart. Choose another splat."
        )
    )


def _paired(view: SplatView, beside: SplatView) -> PairedPortrait:
    def make() -> PairedPortrait:
        from hsa.evaluation.paired_portrait import paired_portrait

        return paired_portrait(view.shown, beside.shown)

    return engine.kept(("paired", view.key, beside.key), "Beside the reference", make)


def _show(view: SplatView, beside: SplatView, found: PairedPortrait) -> None:
    from hsa.figures.paired_profiles import paired_profile_figure
    from hsa.figures.paired_tables import paired_table

    st.caption(plain(_which(view.asked, beside.asked, found)))
    st.dataframe(paired_table(found.numbers), hide_index=True, height="content")
    left, right = st.columns(2, gap="medium")
    with left:
        st.markdown("**Where in the text its keys stand, in both**")
        figure = paired_profile_figure(found.positions, "position")
        st.plotly_chart(figure, key="beside-positions", config=SVG)
    with right:
        st.markdown("**Over which distance they are read, in both**")
        figure = paired_profile_figure(found.distances, "distance")
        st.plotly_chart(figure, key="beside-distances", config=SVG)
    left, right = st.columns(2, gap="medium")
    with left:
        _stretches("Its tokens in this case", view, "beside-held-case")
    with right:
        _stretches("Its tokens in the reference", beside, "beside-held-reference")
    _tokens(found)


def _which(asked: Case, other: Case, found: PairedPortrait) -> str:
    said = "Same layer, head and id; a difference is this case − reference."
    if asked.ready.identity != other.ready.identity:
        said += (
            " The two were read through different fields: the id names one splat if one field was "
            "adapted from the other, and another splat if they were fitted apart."
        )
    if not found.same_level:
        said += (
            f" Here it is a {found.case.level}, in the reference a {found.reference.level}: "
            "these are two different splats."
        )
    if found.case.tokens != found.reference.tokens:
        said += " Positions are counted from the start of each text; shares are of each head."
    return said


def _stretches(title: str, view: SplatView, key: str) -> None:
    from hsa.specialization.excerpts import heaviest, passages

    shown = view.shown
    held = shown.positions.tolist()
    st.markdown(f"**{title}**")
    if not held:
        st.caption("None: no key of this text lies in it.")
        return
    every = passages(view.strings, held)
    chosen = heaviest(every, held, shown.received_standard.tolist(), MOST)
    if len(chosen) < len(every):
        st.caption(f"{len(chosen)} of {len(every)} stretches, those that receive most.")
    held_text(shown, view.strings, chosen, key=key)


def _tokens(found: PairedPortrait) -> None:
    from hsa.figures.paired_tables import paired_tokens_table

    if not found.tokens:
        return
    in_both = sum(of.case_count > 0 < of.reference_count for of in found.tokens)
    column = st.column_config.NumberColumn
    with st.expander(
        f"Its tokens side by side: {len(found.tokens):,} different ones, {in_both:,} of them held "
        "in both"
    ):
        st.dataframe(
            paired_tokens_table(found.tokens),
            hide_index=True,
            height=260,
            column_config={
                "case": column("times, this case", format="%d"),
                "reference": column("times, reference", format="%d"),
                "case_received": column("received, this case", format="percent"),
                "reference_received": column("received, reference", format="percent"),
            },
        )
