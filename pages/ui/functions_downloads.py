"""What can be taken away of what splats serve."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import choices
from pages.ui.take_away import file_button, in_file_name

if TYPE_CHECKING:
    from hsa.models.loaded import LoadedModel
    from hsa.specialization.findings import Findings


def downloads(loaded: LoadedModel, found: Findings, function: str, layer: int, head: int) -> None:
    """The map of a function, the matrix of a head, and every finding; made when asked for."""
    from hsa.figures import functions_files as files

    model = in_file_name(loaded.name)
    of_map, of_head = f"{model}-{function}", f"{model}-layer{layer}-head{head}-functions"
    size = loaded.layers, loaded.query_heads
    splats = found.labels(layer, head)
    said = f"{loaded.title}: splats that serve {function}"
    # Files are made in another thread, which knows no visitor: what was chosen is read here.
    chosen = choices.SPLAT.value
    with st.popover("Download"):
        file_button(
            "Map of this function (HTML, with its SVG)", f"{of_map}.html",
            lambda: files.map_html(found, function, *size, (layer, head), said),
        )  # fmt: skip
        file_button("Map of this function (CSV)", f"{of_map}.csv",
                    lambda: files.served_csv(found, function, *size))  # fmt: skip
        if splats:
            named = f"{loaded.title}: what splats of layer {layer}, head {head} serve"
            rows = [one for splat in splats for one in found.of_splat(layer, head, splat)]
            file_button("Matrix of this head (HTML, with its SVG)", f"{of_head}.html",
                        lambda: files.matrix_html(found, layer, head, chosen, named))  # fmt: skip
            file_button("Findings of this head (CSV)", f"{of_head}.csv",
                        lambda: files.findings_csv(rows))  # fmt: skip
        file_button("Findings of all heads measured (NPZ)", f"{model}-functions.npz",
                    lambda: files.findings_npz(found))  # fmt: skip
        st.caption("SVG of a figure: the camera on it, here or in its HTML file.")
