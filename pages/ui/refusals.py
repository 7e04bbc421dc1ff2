"""The page edge: the only place where a refusal of the engine is caught."""

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from hsa.errors import HSAError
from pages.ui.plain import plain


def show(refusal: HSAError) -> None:
    """Say what was met, what is needed and what to try."""
    st.error("  \n".join(_told(refusal)))


def show_without(refusal: HSAError, missing: str) -> None:
    """The same for what the page does without, with a sentence on what is missing for it."""
    st.warning("  \n".join([*_told(refusal), plain(missing)]))


def _told(refusal: HSAError) -> list[str]:
    lines = [f"**{plain(refusal.message.rstrip('.'))}.**"]
    if refusal.got is not None:
        lines.append(f"Got: {plain(str(refusal.got))}")
    if refusal.needed is not None:
        lines.append(f"Needed: {plain(str(refusal.needed))}")
    if refusal.attempt is not None:
        lines.append(f"Try: {plain(refusal.attempt)}")
    return lines


@contextmanager
def refusals() -> Iterator[None]:
    """Show a refusal raised inside, and end the page there."""
    try:
        yield
    except HSAError as refusal:
        show(refusal)
        st.stop()
