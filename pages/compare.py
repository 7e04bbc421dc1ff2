"""Compare: standard attention beside HSA for one head."""

from __future__ import annotations

import streamlit as st

from pages.ui import choices, reference
from pages.ui.case import Case, case
from pages.ui.compare_agreement import agreement
from pages.ui.compare_beside import beside_reference
from pages.ui.compare_cell import explanation
from pages.ui.compare_downloads import downloads
from pages.ui.compare_flow import flow
from pages.ui.compare_head import heading, pick_head, short_text_notes
from pages.ui.compare_levels import levels
from pages.ui.compare_maps import keep_cell_sound, maps, pick_cell
from pages.ui.compare_opening import difference_from_reference, pick_opening
from pages.ui.compare_pairs import strongest_pairs
from pages.ui.compare_view import HeadView, head_view, pick_window
from pages.ui.frame import frame
from pages.ui.refusals import refusals
from pages.ui.waiting import waiting

page = frame("Compare a head", "Where does HSA differ from standard attention in this head?")


def main(asked: Case) -> None:
    """The head chosen, its maps, and the weight of one cell taken apart."""
    reference.control(page, asked)
    layer, head = pick_head(asked)
    pick_opening(asked)
    first = pick_window(asked)
    with refusals(), waiting() as progress:
        view = head_view(asked, layer, head, first, progress)
    heading(view)
    difference_from_reference(view)
    short_text_notes(view)
    keep_cell_sound(view)
    comparison(view)


@st.fragment
def comparison(view: HeadView) -> None:
    """All that a click changes, and nothing else."""
    maps(view)
    pick_cell(view)
    cell = choices.CELL.value
    if cell is None:
        st.info(
            "Click a cell in a map, choose a query and a key, or jump to the worst row: the weight "
            "found there will be taken apart here. Zoom first where cells are small."
        )
    else:
        explanation(view, *cell)
    agreement(view, None if cell is None else cell[0])
    beside_reference(view, None if cell is None else cell[0])
    levels(view)
    strongest_pairs(view)
    if cell is not None:
        flow(view, *cell)
    downloads(view, cell)


main(
    case(
        page,
        "Choose a sample or type a prompt in the side bar, and both attentions of one head appear "
        "here. The grid on Explore shows which heads are worth a look.",
    )
)
