"""The map, or the hierarchy, and the splat chosen in either or beside it."""

from __future__ import annotations

from typing import Any

import numpy as np
import streamlit as st

from pages.ui import choices, chosen_splat
from pages.ui.atlas_drawing import atlas_blob
from pages.ui.atlas_view import AtlasView
from pages.ui.plain import plain
from pages.ui.take_away import CAMERA

MAP, TREE, BOX = "atlas-map", "atlas-tree", "ask-splat"
SHAPES = {"map": "Map", "icicle": "Icicle", "sunburst": "Sunburst"}


def choose_row(view: AtlasView, row: int | None) -> None:
    """Choose a splat by its row; one of another head shown makes that the head chosen."""
    if row is None:
        chosen_splat.release()
        return
    layer, group = view.atlas.heads[int(view.atlas.head[row])]
    if (layer, group) != (view.layer, view.group):
        # All heads stay where they are on the map.
        choices.BESIDE.choose(view.atlas.heads)
    chosen_splat.choose(
        view.loaded.fingerprint, layer, group, view.heads_of_group, int(view.atlas.splat_id[row])
    )


def controls(view: AtlasView) -> None:
    """Shape and colours."""
    st.segmented_control(
        "Shape", list(SHAPES), format_func=lambda name: SHAPES[name], required=True,
        **choices.SHAPE.widget(),
    )  # fmt: skip
    named = {attribute.name: attribute.title for attribute in view.atlas.attributes}
    st.selectbox(
        "Colour by", list(named), format_func=lambda name: named[name], width=260,
        help=plain(view.atlas.attribute(choices.PAINT.value).meaning),
        **choices.PAINT.widget(),
    )  # fmt: skip


def pick_splat(view: AtlasView) -> None:
    """The way to a splat without a mouse: those of the head chosen, by level and id."""
    from hsa.field.splat_field import LEVELS

    rows = view.rows
    chosen = view.chosen
    if st.session_state.get(BOX) != chosen:
        st.session_state[BOX] = chosen

    def label(row: int) -> str:
        name = f"{LEVELS[int(view.atlas.level[row])]} {int(view.atlas.splat_id[row])}"
        return f"{name} · {view.words[row]}" if view.words[row] else name

    st.selectbox(
        "Splat", range(rows.start, rows.stop), index=None, key=BOX, format_func=label,
        placeholder="level, id or token",
        on_change=lambda: choose_row(view, st.session_state[BOX]),
    )  # fmt: skip


def picture(view: AtlasView, stands_out: np.ndarray) -> None:
    """The shape chosen; a click chooses a splat."""
    if choices.SHAPE.value == "map":
        _map(view, stands_out)
    else:
        _tree(view)


def _map(view: AtlasView, stands_out: np.ndarray) -> None:
    from pages.ui.atlas_map import atlas_map

    st.session_state[MAP] = view.chosen
    atlas_map(
        atlas_blob(view, choices.PAINT.value), view.atlas.splats, key=MAP, height=540,
        stands_out=stands_out, on_select=lambda: choose_row(view, st.session_state[MAP]),
    )  # fmt: skip
    st.caption(
        plain(
            "Every mark is a splat: squares Documents, diamonds Sections, discs Phrases. "
            + (
                "A key (plus) stands between the three Phrases nearest to it; a query (cross) at "
                "the mean of the eight keys that it looks at most, the first token apart."
                if view.marks is not None
                else "Choose a prompt in the side bar to see its keys and queries among them."
            )
        )
    )


def _tree(view: AtlasView) -> None:
    from hsa.figures.atlas import hierarchy_figure

    def clicked() -> None:
        selection: Any = st.session_state[TREE].selection
        for point in selection.points:
            number = str(point.get("id", ""))
            if number.isdigit():
                choose_row(view, int(number))

    shape = choices.SHAPE.value
    assert shape != "map"
    figure = hierarchy_figure(
        view.atlas, view.rows, view.atlas.attribute(choices.PAINT.value), view.words, shape,
        view.chosen,
    )  # fmt: skip
    st.plotly_chart(
        figure, key=TREE, on_select=clicked, selection_mode="points",
        config=CAMERA,
    )  # fmt: skip
    st.caption(
        f"The splats of layer {view.layer}, head {view.group}: areas are prior shares of the "
        "Phrases. A click chooses a splat and shows what is below it; a click on the top area "
        "goes back up."
    )
