"""The map on a page, and the splat chosen in it.

Two components stand in one container, as for the heatmap. The canvas receives the map, which
stays the same between reruns and so is not sent again; a second one, with nothing to see,
receives what does change (the chosen splat, which ones stand out) and hands it to the canvas
inside the browser.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import streamlit as st
from streamlit.components.v2 import component
from streamlit.components.v2.types import ComponentRenderer

from pages.ui.player.frontend_files import frontend_text as player_text

_FRONTEND = Path(__file__).parent / "frontend"
# One module in the end. What any map on canvas needs is the player's.
_OF_THE_PLAYER = ("blob", "labels", "camera", "gestures")
_OWN = (
    "theme",
    "points",
    "paint",
    "still",
    "hit",
    "reading",
    "elements",
    "legend",
    "pictures",
    "map",
)


@cache
def frontend_text(file_name: str) -> str:
    """One file of the frontend."""
    return (_FRONTEND / file_name).read_text("utf-8")


@cache
def map_script(last: str) -> str:
    """`AtlasMap`, and after it the file that shows one."""
    shared = [player_text(f"{name}.js") for name in _OF_THE_PLAYER]
    return "\n".join([*shared, *(frontend_text(f"{name}.js") for name in (*_OWN, last))])


@cache
def _canvas() -> ComponentRenderer:
    return component("hsa_atlas", css=frontend_text("map.css"), js=map_script("on_a_page"))


@cache
def _wishes() -> ComponentRenderer:
    return component("hsa_atlas_wishes", js=frontend_text("wishes.js"))


def atlas_map(
    blob: bytes,
    splats: int,
    *,
    key: str,
    stands_out: np.ndarray | None = None,
    height: int = 560,
    on_select: Callable[[], None] | None = None,
) -> int | None:
    """Show the map and return the row of the chosen splat, or None.

    It lives in `st.session_state[key]`: assign it before this call to choose from outside (a
    link, a select box); a click assigns it before the script runs, and `on_select` is called
    then.

    Args:
        blob: what `encode` made of a drawing of so many splats.
        stands_out: which splats are not dimmed; all if left out.
        height: pixels of the map; on narrow screens it is lower.
    """
    st.session_state[key] = _inside(st.session_state.get(key), splats)
    canvas_key, heard_key = f"{key}-canvas", f"{key}-heard"

    def hear() -> None:
        """A click is an event: applied once, so that a later choice by Python stands."""
        event = st.session_state[canvas_key].get("chosen") or {}
        st.session_state[key] = _inside(event.get("row"), splats)
        st.session_state[heard_key] = event.get("number", 0)
        if on_select is not None:
            on_select()

    with st.container(key=f"splat-map-{key}", gap=None):
        _canvas()(key=canvas_key, data=blob, on_chosen_change=hear)
        _wishes()(
            key=f"{key}-wishes",
            data={
                "row": st.session_state[key],
                "heard": st.session_state.get(heard_key, 0),
                "height": height,
                "standsOut": _bits(stands_out),
            },
        )
    return st.session_state[key]


def _bits(stands_out: np.ndarray | None) -> str | None:
    """One bit a splat, the first in the lowest place, as base64."""
    if stands_out is None or stands_out.all():
        return None
    return base64.b64encode(np.packbits(stands_out, bitorder="little").tobytes()).decode("ascii")


def _inside(row: object, splats: int) -> int | None:
    """The row if it is one of this map: links and browsers may say anything."""
    whole = isinstance(row, int) and not isinstance(row, bool)
    return row if whole and 0 <= row < splats else None  # type: ignore[operator]
