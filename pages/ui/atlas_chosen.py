"""The splat chosen on the atlas: its id, and the head that the id is of."""

from __future__ import annotations

import streamlit as st

from pages.ui import choices

_OF = "atlas-splat-of"
"""Session key: model, layer and key/value head that the chosen id belongs to."""


def choose(fingerprint: str, layer: int, group: int, heads_of_group: int, splat_id: int) -> None:
    """Choose a splat, and its head where another one was chosen; for links from other pages too."""
    if choices.LAYER.value != layer or choices.HEAD.value // heads_of_group != group:
        choices.LAYER.choose(layer)
        choices.HEAD.choose(group * heads_of_group)
    choices.SPLAT.choose(splat_id)
    st.session_state[_OF] = (fingerprint, layer, group)


def release() -> None:
    """Choose none."""
    choices.SPLAT.choose(None)


def keep_sound(fingerprint: str, layer: int, group: int, ids: set[int]) -> None:
    """Let go of an id that was chosen in another head, or that this field does not have."""
    here = (fingerprint, layer, group)
    splat = choices.SPLAT.value
    if st.session_state.get(_OF, here) != here:
        splat = None
        choices.SPLAT.choose(None)
    elif splat is not None and splat not in ids:
        choices.SPLAT.choose(None)
        st.warning(
            f"There is no splat {splat} in layer {layer}, key/value head {group}: it may belong to "
            "another field, or may have died since the link was made. Click another one."
        )
    st.session_state[_OF] = here
