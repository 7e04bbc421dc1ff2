"""The figure on a page: one to three linked canvas heatmaps and the cell chosen in them.

Two components stand in one container. The canvas receives the matrices, megabytes that stay
the same between reruns and so are not sent again; a second one, with nothing to see, receives
what does change (the chosen cell, the height) and hands it to the canvas inside the browser.
"""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import streamlit as st
from streamlit.components.v2 import component
from streamlit.components.v2.types import ComponentRenderer

from .blob import encode
from .panel import Panel
from .quantisation import ScaleName

Cell = tuple[int, int]

_FRONTEND = Path(__file__).parent / "frontend"
# One module in the end: what is first needed comes first.
_CANVAS_FILES = (
    "blob",
    "colours",
    "labels",
    "view",
    "layout",
    "paint",
    "overlay",
    "elements",
    "reading",
    "png",
    "gestures",
    "hit",
    "figure",
    "mount",
)


@cache
def _canvas() -> ComponentRenderer:
    return component(
        "hsa_heatmap",
        css=(_FRONTEND / "figure.css").read_text("utf-8"),
        js="\n".join((_FRONTEND / f"{name}.js").read_text("utf-8") for name in _CANVAS_FILES),
    )


@cache
def _wishes() -> ComponentRenderer:
    return component("hsa_heatmap_wishes", js=(_FRONTEND / "wishes.js").read_text("utf-8"))


def linked_heatmaps(
    panels: Sequence[Panel],
    query_labels: Sequence[str],
    key_labels: Sequence[str],
    *,
    scale: ScaleName = "linear",
    hide_first_key: bool = False,
    shared_scale: bool = True,
    causal: bool = True,
    selected: Cell | None = None,
    height: int = 540,
    key: str,
    blob: bytes | None = None,
    on_select: Callable[[], None] | None = None,
) -> Cell | None:
    """Show the panels and return the chosen cell (query, key), or None.

    The chosen cell lives in `st.session_state[key]`: assign it before this call to choose from
    outside (a link, a select box); a click assigns it before the script runs, and `on_select`
    is called then. `selected` is its first value, as with any widget.

    Args:
        height: the most pixels that one row of panels takes; on narrow screens panels wrap.
        blob: what `encode` made of the same arguments, to be cached by the caller;
            `panels` may then be empty.
    """
    if blob is None:
        blob = encode(
            panels,
            query_labels,
            key_labels,
            scale=scale,
            hide_first_key=hide_first_key,
            shared_scale=shared_scale,
            causal=causal,
        )
    shape = (len(query_labels), len(key_labels))
    st.session_state.setdefault(key, selected)
    st.session_state[key] = _inside(st.session_state[key], shape)
    canvas_key, heard_key = f"{key}-canvas", f"{key}-heard"

    def hear() -> None:
        """A click is an event: applied once, so that a later choice by Python stands."""
        event = st.session_state[canvas_key].get("cell") or {}
        st.session_state[key] = _inside(event.get("at"), shape)
        st.session_state[heard_key] = event.get("number", 0)
        if on_select is not None:
            on_select()

    with st.container(key=f"heatmap-{key}", gap=None):
        _canvas()(key=canvas_key, data=blob, on_cell_change=hear)
        _wishes()(
            key=f"{key}-wishes",
            data={
                "cell": st.session_state[key],
                "heard": st.session_state.get(heard_key, 0),
                "height": height,
            },
        )
    return st.session_state[key]


def _inside(cell: object, shape: tuple[int, int]) -> Cell | None:
    """The cell if it is one of this matrix: links and browsers may say anything."""
    if not isinstance(cell, list | tuple) or len(cell) != 2:
        return None
    if not all(isinstance(at, int) and not isinstance(at, bool) for at in cell):
        return None
    query, key = cell
    return (query, key) if 0 <= query < shape[0] and 0 <= key < shape[1] else None
