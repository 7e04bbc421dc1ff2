"""What can be taken away from a comparison."""

from __future__ import annotations

import re
from collections.abc import Callable

import streamlit as st

from pages.ui import choices, compare_bundle
from pages.ui.compare_view import HeadView


def downloads(view: HeadView, cell: tuple[int, int] | None) -> None:
    """Figures as HTML with their SVG, numbers as CSV and NPZ; made when asked for."""
    from hsa.figures import comparison_files as files
    from hsa.figures.comparison_maps import MOST_TOKENS

    model = re.sub(r"[^\w.-]+", "-", view.asked.loaded.name).strip("-") or "model"
    name = f"{model}-layer{view.layer}-head{view.head}"
    if view.difference is not None:
        name += "-blocked"
    # Files are made in another thread, which knows no visitor: what was chosen is read here.
    measure, scale = choices.MEASURE.value, choices.SCALE.value
    hide_first = choices.HIDE_FIRST.value
    binary = "application/octet-stream"
    with st.popover("Download"):
        _whole(view, cell, name)
        if len(view.strings) <= MOST_TOKENS:
            _button("Maps (HTML, with its SVG)", f"{name}.html", "text/html",
                    lambda: files.maps_html(
                        view.compared, view.strings, measure, view.title,
                        scale, hide_first))  # fmt: skip
        _button("Agreement (HTML, with its SVG)", f"{name}-agreement.html", "text/html",
                lambda: files.agreement_html(view.compared, view.strings, view.title))  # fmt: skip
        _button("Matrices, outputs, tokens (NPZ)", f"{name}.npz", binary,
                lambda: files.comparison_npz(view.compared, view.strings))  # fmt: skip
        if cell is not None:
            query = cell[0]
            given = (view.result, view.framed, view.strings, 0, query)
            _button(f"Row of query {query} (CSV)", f"{name}-query{query}.csv", "text/csv",
                    lambda: files.row_csv(*given))  # fmt: skip
            _button(f"Contributors of query {query} (CSV)", f"{name}-query{query}-members.csv",
                    "text/csv", lambda: files.contributors_csv(*given))  # fmt: skip
            _button(f"Contributors of query {query} (HTML, with its SVG)",
                    f"{name}-query{query}.html", "text/html",
                    lambda: files.contributors_html(*given, measure, view.title))  # fmt: skip
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
    _button(f"Bundle of {what}", f"{name}-bundle.zip", "application/zip",
            compare_bundle.bundle(view, cell, grid=grid))  # fmt: skip
    st.caption(
        "A bundle holds prompt, choices and numbers; the Library opens it and works the numbers "
        "out again."
    )
    _button("This page (HTML, needs no network)", f"{name}-page.html", "text/html",
            compare_bundle.report(view, cell))  # fmt: skip


def _button(label: str, name: str, mime: str, make: Callable[[], bytes]) -> None:
    st.download_button(label, make, name, mime, on_click="ignore", key=f"download-{label}")
