"""The splats as a table, and what can be taken away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from pages.ui import choices
from pages.ui.atlas_drawing import atlas_blob
from pages.ui.atlas_map_choice import choose_row
from pages.ui.atlas_view import AtlasView
from pages.ui.take_away import file_button, in_file_name

if TYPE_CHECKING:
    from hsa.atlas.attributes import Attribute

TABLE = "atlas-table"
FORMATS = {"share": "percent", "keys": "%d", "texts": "%d", "bits": "%.2f", "": "%.4g"}


def table(view: AtlasView, stands_out: np.ndarray) -> None:
    """Splats that stand out; a click on a column sorts, one on a row chooses."""
    from hsa.figures.atlas_files import atlas_table

    rows = np.flatnonzero(stands_out)
    st.caption(
        f"{len(rows):,} of {view.atlas.splats:,} splats stand out. Click a column to sort, a row "
        "to choose its splat."
    )

    def clicked() -> None:
        chosen: Any = st.session_state[TABLE].selection.rows
        if chosen and chosen[0] < len(rows):
            choose_row(view, int(rows[chosen[0]]))

    shown = atlas_table(view.atlas, view.words, rows).drop(columns=["x", "y"])
    if len(view.heads) == 1:
        shown = shown.drop(columns=["layer", "head"])
    if view.asked is None:
        shown = shown.drop(columns=["holds"])
    st.dataframe(
        shown, key=TABLE, hide_index=True, height=330, on_select=clicked,
        selection_mode="single-row",
        column_config={a.name: _column(a) for a in view.atlas.attributes if a.name in shown},
    )  # fmt: skip
    _downloads(view, rows)


def _column(attribute: Attribute) -> Any:
    if not attribute.numeric:
        return st.column_config.TextColumn(attribute.title, help=attribute.meaning)
    return st.column_config.NumberColumn(
        attribute.title, help=attribute.meaning, format=FORMATS[attribute.unit]
    )


def _downloads(view: AtlasView, rows: np.ndarray) -> None:
    from hsa.figures.atlas_files import atlas_csv, atlas_npz
    from pages.ui.atlas_map import standalone_html

    model = in_file_name(view.loaded.name)
    name = f"{model}-layer{view.layer}-head{view.group}-splats"
    # Files are made in another thread, which knows no visitor: what was chosen is read here.
    blob = atlas_blob(view, choices.PAINT.value)
    positions = [
        view.ready.field.heads[layer][group].position.float().numpy()
        for layer, group in view.atlas.heads
    ]
    with st.popover("Download"):
        file_button("Splats that stand out (CSV)", f"{name}.csv",
                    lambda: atlas_csv(view.atlas, view.words, rows), key="atlas-csv")  # fmt: skip
        file_button("Everything as arrays (NPZ)", f"{name}.npz",
                    lambda: atlas_npz(view.atlas, positions), key="atlas-npz")  # fmt: skip
        file_button(
            "Map (HTML, works without this app)", f"{name}.html",
            lambda: standalone_html(blob, view.title).encode(), key="atlas-html",
        )  # fmt: skip
        st.caption("PNG and SVG of the map: the buttons above it.")
