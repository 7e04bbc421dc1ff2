"""What can be taken away from a comparison."""

from __future__ import annotations

import streamlit as st

from pages.ui import choices, compare_bundle
from pages.ui.compare_view import HeadView
from pages.ui.take_away import file_button, in_file_name


def downloads(view: HeadView, cell: tuple[int, int] | None) -> None:
    """Figures as HTML with their SVG, numbers as CSV and NPZ; made when asked for."""
    from hsa.figures import comparison_files as files
    from hsa.figures.comparison_maps import MOST_TOKENS

    name = f"{in_file_name(view.asked.loaded.name)}-layer{view.layer}-head{view.head}"
    if view.difference is not None:
        name += "-blocked"
    # Files are made in another thread, which knows no visitor: what was chosen is read here.
    measure, scale = choices.MEASURE.value, choices.SCALE.value
    hide_first = choices.HIDE_FIRST.value
    compared, strings = view.compared, view.strings
    with st.popover("Download"):
        _whole(view, cell, name)
        if len(strings) <= MOST_TOKENS:
            file_button("Maps (HTML, with its SVG)", f"{name}.html",
                        lambda: files.maps_html(compared, strings, measure, view.title, scale,
                                                hide_first))  # fmt: skip
        file_button("Agreement (HTML, with its SVG)", f"{name}-agreement.html",
                    lambda: files.agreement_html(compared, strings, view.title))  # fmt: skip
        file_button("Agreement, means (CSV)", f"{name}-agreement.csv",
                    lambda: files.agreement_csv(compared))  # fmt: skip
        file_button("Agreement, row by row (CSV)", f"{name}-agreement-rows.csv",
                    lambda: files.agreement_rows_csv(compared, strings))  # fmt: skip
        file_button("Matrices, outputs, tokens (NPZ)", f"{name}.npz",
                    lambda: files.comparison_npz(compared, strings))  # fmt: skip
        if cell is not None:
            _row(view, cell[0], name)
        st.caption(
            "PNG of the maps: the button above them. SVG: the camera on a curve or a bar figure "
            "here, or the one inside each HTML file, which needs no network; the maps in an SVG "
            f"are images. HTML of the maps is made for up to {MOST_TOKENS} tokens."
            + ("" if cell else " Choose a cell to save its row.")
        )


def _whole(view: HeadView, cell: tuple[int, int] | None, name: str) -> None:
    """The view to be opened again, and the view to be read."""
    grid = view.asked.kept_grid() is not None and st.checkbox(
        "Scores of all heads in the bundle",
        key="bundle-grid",
        help="Making and verifying it then reads the text through every layer.",
    )
    what = "the head" if cell is None else f"query {cell[0]}, key {cell[1]}"
    file_button(f"Bundle of {what}", f"{name}-bundle.zip",
                compare_bundle.bundle(view, cell, grid=grid))  # fmt: skip
    st.caption(
        "A bundle holds prompt, choices and numbers; the Library opens it and works the numbers "
        "out again."
    )
    file_button("This page (HTML, needs no network)", f"{name}-page.html",
                compare_bundle.report(view, cell))  # fmt: skip


def _row(view: HeadView, query: int, name: str) -> None:
    """What the row of a query is made of."""
    from hsa.figures import comparison_files as files

    measure = choices.MEASURE.value
    given = (view.result, view.framed, view.strings, 0, query)
    file_button(f"Row of query {query} (CSV)", f"{name}-query{query}.csv",
                lambda: files.row_csv(*given))  # fmt: skip
    file_button(f"Contributors of query {query} (CSV)", f"{name}-query{query}-members.csv",
                lambda: files.contributors_csv(*given))  # fmt: skip
    file_button(f"Contributors of query {query} (HTML, with its SVG)", f"{name}-query{query}.html",
                lambda: files.contributors_html(*given, measure, view.title))  # fmt: skip
    file_button(f"What answers for query {query} in all (HTML, with its SVG)",
                f"{name}-query{query}-mass.html",
                lambda: files.row_mass_html(*given, view.title))  # fmt: skip
