"""The splat chosen: its id, and the head that the id is of, the same on every page."""

from __future__ import annotations

import streamlit as st

from pages.ui import choices

_OF = "chosen-splat-of"
"""Session key: model, layer and key/value head that the chosen id belongs to."""


def choose(fingerprint: str, layer: int, group: int, heads_of_group: int, splat_id: int) -> None:
    """Choose a splat, and its head where another one was chosen; and remember whose it is."""
    if choices.LAYER.value != layer or choices.HEAD.value // heads_of_group != group:
        choices.LAYER.choose(layer)
        choices.HEAD.choose(group * heads_of_group)
    choices.SPLAT.choose(splat_id)
    st.session_state[_OF] = (fingerprint, layer, group)


def release() -> None:
    """Choose none."""
    choices.SPLAT.choose(None)


def keep_to_head(fingerprint: str, layer: int, group: int) -> None:
    """Let go of an id that was chosen in another head: ids are a head's own."""
    here = (fingerprint, layer, group)
    if st.session_state.get(_OF, here) != here and choices.SPLAT.value is not None:
        choices.SPLAT.choose(None)
    st.session_state[_OF] = here


def keep_sound(fingerprint: str, layer: int, group: int, ids: set[int]) -> None:
    """Let go of an id that was chosen in another head, or that this field does not have."""
    keep_to_head(fingerprint, layer, group)
    splat = choices.SPLAT.value
    if splat is not None and splat not in ids:
        choices.SPLAT.choose(None)
        st.warning(
            f"There is no splat {splat} in layer {layer}, key/value head {group}: it may belong to "
            "another field, or may have died since the link was made. Click another one."
        )
