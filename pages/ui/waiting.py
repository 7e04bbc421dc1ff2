"""What the visitor sees while the engine works."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import streamlit as st

from pages.ui.plain import plain

REFRESH_SECONDS = 0.15

# Told a sentence, and how much is done if that is known.
Progress = Callable[[str, float | None], None]


@contextmanager
def waiting() -> Iterator[Progress]:
    """A progress bar that appears with the first sentence and is gone in the end."""
    slot = st.empty()
    done = 0.0
    shown = ("", -REFRESH_SECONDS)

    def tell(sentence: str, fraction: float | None) -> None:
        nonlocal done, shown
        now = time.monotonic()
        if sentence == shown[0] and now - shown[1] < REFRESH_SECONDS:
            return
        if fraction is not None:
            done = min(max(fraction, 0.0), 1.0)
        elif sentence != shown[0]:
            done = 0.0
        slot.progress(done, text=plain(sentence))
        shown = (sentence, now)

    try:
        yield tell
    finally:
        slot.empty()
