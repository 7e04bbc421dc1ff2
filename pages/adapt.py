"""Adapt: a field that changes as texts arrive, every moment of it to be watched again."""

from __future__ import annotations

import streamlit as st

from pages.ui import choices, engine
from pages.ui.adapt_begin import begin
from pages.ui.adapt_gain import gain
from pages.ui.adapt_watch import watch
from pages.ui.case import field
from pages.ui.frame import frame
from pages.ui.refusals import refusals
from pages.ui.waiting import waiting

PARTS = {"watch": "Watch", "run": "Adapt to texts", "gain": "Before and after"}

frame("Adapt", "How does a field change as texts arrive?", prompt_in="page", reads=False)


def main() -> None:
    """One of the three parts; a film needs no model."""
    st.segmented_control(
        "Part", list(PARTS), format_func=lambda part: PARTS[part], required=True,
        label_visibility="collapsed", **choices.PART.widget(),
    )  # fmt: skip
    if choices.PART.value == "watch":
        watch()
        return
    with refusals(), waiting() as progress:
        loaded = engine.model(choices.MODEL.value, progress)
    ready = field(loaded)
    if choices.PART.value == "run":
        begin(loaded, ready)
    else:
        gain(loaded)


main()
