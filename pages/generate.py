"""Generate: one text continued by standard attention and by HSA."""

from __future__ import annotations

import streamlit as st

from hsa.models.catalog import CATALOG, DEFAULT
from pages.ui import choices, engine
from pages.ui.case import field
from pages.ui.frame import frame
from pages.ui.generate_chat import chat
from pages.ui.generate_continue import continued
from pages.ui.plain import plain
from pages.ui.refusals import refusals
from pages.ui.waiting import waiting

VIEWS = {"continue": "Continue a prompt", "chat": "Chat, β rising turn by turn"}

frame(
    "Generate",
    "Does the model still write the same when HSA answers in place of attention?",
    prompt_in="page",
    reads=False,
)


def main() -> None:
    """The model made ready, and one of the two views."""
    name = choices.MODEL.value
    if name in CATALOG and not CATALOG[name].causal:
        _writes_nothing(CATALOG[name].title)
        return
    st.segmented_control(
        "View",
        list(VIEWS),
        format_func=lambda view: VIEWS[view],
        required=True,
        label_visibility="collapsed",
        **choices.VIEW.widget(),
    )
    with refusals(), waiting() as progress:
        loaded = engine.model(name, progress)
    if not loaded.writes:
        _writes_nothing(loaded.title)
        return
    ready = field(loaded)
    if choices.VIEW.value == "chat":
        chat(loaded, ready)
    else:
        continued(loaded, ready)


def _writes_nothing(title: str) -> None:
    st.info(
        plain(
            f"{title} turns texts into vectors and writes none, so there is nothing to generate. "
            f"{CATALOG[DEFAULT].title} writes."
        )
    )
    st.button(
        plain(f"Switch to {CATALOG[DEFAULT].title}"),
        type="primary",
        key="switch-model",
        on_click=lambda: choices.MODEL.choose(DEFAULT),
    )


main()
