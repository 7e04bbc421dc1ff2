"""What can be taken away from the grid of heads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.ui.take_away import file_button

if TYPE_CHECKING:
    from hsa.evaluation.head_grid import HeadGrid


def downloads(grid: HeadGrid, figure: Any, layer: int, head: int) -> None:
    """Scores and masses of all heads, and both figures; made when asked for.

    Args:
        figure: the grid as it is shown.
    """
    from hsa.figures.answered_mass import answered_mass_csv, answered_mass_figure
    from hsa.figures.head_table import head_csv, head_npz
    from hsa.figures.standalone import standalone_html, titled_html

    said = f"What answers for HSA's attention mass: layer {layer}, head {head}; mean of all in grey"
    with st.popover("Download"):
        file_button("Scores of all heads (CSV)", "heads.csv", lambda: head_csv(grid))
        file_button("What answers, all heads (CSV)", "answers.csv",
                    lambda: answered_mass_csv(grid))  # fmt: skip
        file_button("Every array (NPZ)", "heads.npz", lambda: head_npz(grid))
        file_button("Grid (HTML, with its SVG)", "heads.html", lambda: standalone_html(figure))
        file_button("What answers in this head (HTML, with its SVG)",
                    f"answers-layer{layer}-head{head}.html",
                    lambda: titled_html(answered_mass_figure(grid, layer, head), said))  # fmt: skip
        st.caption(
            "The camera on the grid saves a PNG, the one in its HTML file an SVG; that of the "
            "bars an SVG in both places."
        )
