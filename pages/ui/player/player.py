"""The player on a page: one head's adaptation, the step shown and the splat chosen in it.

Two components stand in one container, as for the heatmap. The canvas receives the film, which
stays the same between reruns and so is not sent again; a second one, with nothing to see,
receives what does change and hands it to the canvas inside the browser. The film plays in the
browser alone: Python hears of it when a splat is chosen or the film comes to rest.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING

import streamlit as st
from streamlit.components.v2 import component
from streamlit.components.v2.types import ComponentRenderer

from .blob import encode, header_of
from .frontend_files import frontend_text, player_script

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hsa.adaptation.recording import Recording


@dataclass(frozen=True)
class PlayerState:
    """What a viewer left the player at: the id of the chosen splat, if any, and the step."""

    selected: int | None
    step: int


@cache
def _canvas() -> ComponentRenderer:
    return component("hsa_player", css=frontend_text("player.css"), js=player_script("on_a_page"))


@cache
def _wishes() -> ComponentRenderer:
    return component("hsa_player_wishes", js=frontend_text("wishes.js"))


def adaptation_player(
    recording: Recording | None = None,
    *,
    key: str,
    blob: bytes | None = None,
    height: int = 480,
    selected: int | None = None,
    step: int | None = None,
) -> PlayerState:
    """Show the film and return what the viewer left it at.

    That state lives in `st.session_state[key]` as `{"selected": …, "step": …}`: assign it before
    this call to choose from outside (a link, a select box). `selected` and `step` are its first
    values, as with any widget. What is not of this film counts as nothing chosen and step 0.

    Args:
        height: pixels of the map; on narrow screens it is lower.
        blob: what `encode` made of the recording, to be cached by the caller; the recording may
            then be left out.
    """
    if blob is None:
        if recording is None:
            raise ValueError("the player needs a recording, or the blob that encode made of one")
        blob = encode(recording)
    header = header_of(blob)
    st.session_state.setdefault(key, {"selected": selected, "step": step})
    state = _inside(st.session_state[key], header)
    st.session_state[key] = asdict(state)
    canvas_key, heard_key = f"{key}-canvas", f"{key}-heard"

    def hear() -> None:
        """A report is an event: applied once, so that a later choice by Python stands."""
        event = st.session_state[canvas_key].get("shown") or {}
        st.session_state[key] = asdict(_inside(event, header))
        st.session_state[heard_key] = event.get("number", 0)

    with st.container(key=f"player-{key}", gap=None):
        _canvas()(key=canvas_key, data=blob, on_shown_change=hear)
        _wishes()(
            key=f"{key}-wishes",
            data={
                **asdict(state),
                "heard": st.session_state.get(heard_key, 0),
                "height": height,
            },
        )
    return state


def _inside(state: object, header: Mapping) -> PlayerState:
    """What of the state is of this film: links and browsers may say anything."""
    said = state if isinstance(state, dict) else {}
    selected, step = _whole(said.get("selected")), _whole(said.get("step"))
    return PlayerState(
        selected if selected in header["splat_id"] else None,
        step if step is not None and 0 <= step < len(header["steps"]) else 0,
    )


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
