"""The pinned reference: a case that the visitor keeps, to see others beside it.

A reference with the shipped field lives among the choices, so a link restores it. One with any
other field lies in the visitor's session with that field, and nowhere else; results made with it
are kept under the name of the field's content, as all are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import choices, long_texts
from pages.ui.chosen_case import ChosenCase
from pages.ui.samples import sample_text

if TYPE_CHECKING:
    from pages.ui.engine import ReadyField

_KEY = "pinned-reference"


@dataclass(frozen=True)
class Pinned:
    """What was chosen, and the field that it was read through; None for the shipped one."""

    chosen: ChosenCase
    ready: ReadyField | None = None

    @property
    def text(self) -> str:
        """The prompt."""
        return sample_text(self.chosen.sample) if self.chosen.sample else self.chosen.text


def current() -> Pinned | None:
    """The visitor's reference, if one is pinned."""
    own = st.session_state.get(_KEY)
    if own is not None:
        return own
    chosen = choices.REFERENCE.value
    return None if chosen is None else Pinned(chosen)


def stays_here() -> bool:
    """Whether a reference is pinned that no link can hold."""
    return _KEY in st.session_state


def is_long() -> bool:
    """Whether a link names the reference's text by a digest and does not hold it."""
    chosen = choices.REFERENCE.value
    return chosen is not None and long_texts.by_digest(chosen.text)


def pin(ready: ReadyField) -> None:
    """Keep what is chosen now, read through this field."""
    unpin()
    chosen = ChosenCase(
        choices.MODEL.value,
        choices.SAMPLE.value,
        "" if choices.SAMPLE.value else choices.TEXT.value,
        choices.READS.value,
        choices.WAY.value,
    )
    if ready.origin == "shipped":
        choices.REFERENCE.choose(chosen)
    else:
        st.session_state[_KEY] = Pinned(chosen, ready)


def unpin() -> None:
    """Keep none."""
    st.session_state.pop(_KEY, None)
    choices.REFERENCE.choose(None)
