"""The pinned reference beside the case at hand: its control, and the reference made ready."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import choices, engine, pinned
from pages.ui.case import Case, made_ready
from pages.ui.frame import Frame
from pages.ui.plain import plain
from pages.ui.terms import means

if TYPE_CHECKING:
    from pages.ui.pinned import Pinned
    from pages.ui.waiting import Progress

BEGINNING = 60  # characters of its prompt that are shown
ORIGINS: dict[engine.Origin, str] = {
    "shipped": "the shipped field",
    "fitted here": "the field fitted here",
    "adapted here": "a field adapted here",
    "from a file": "a field from a file",
}


def control(page: Frame, asked: Case) -> None:
    """In the side bar: what is pinned, pin this case, unpin."""
    kept = pinned.current()
    with page.reference:
        if kept is None:
            st.button(
                "Pin as reference", key="pin", on_click=pinned.pin, args=(asked.ready,),
                help=means("Reference"),
            )  # fmt: skip
            return
        st.caption(f"Reference: {plain(described(kept))}", help=means("Reference"))
        if reason := refused(kept, asked):
            st.caption(f":orange[{plain(reason)}]")
        with st.container(horizontal=True):
            st.button("Unpin", key="unpin", on_click=_unpin)
            st.button(
                "Pin this instead", key="pin-instead", on_click=pinned.pin, args=(asked.ready,),
            )  # fmt: skip


def _unpin() -> None:
    pinned.unpin()
    choices.DIFFERENCE.choose(False)


def described(kept: Pinned) -> str:
    """Its prompt's beginning, its model, field and reads."""
    words = " ".join(kept.text.split())
    beginning = words if len(words) <= BEGINNING else words[:BEGINNING].rstrip() + "…"
    reads = "reads auto" if kept.chosen.reads is None else f"{kept.chosen.reads} reads"
    origin = ORIGINS[kept.ready.origin if kept.ready else "shipped"]
    return f"“{beginning}” · {kept.chosen.model} · {origin} · {reads}"


def refused(kept: Pinned, asked: Case) -> str:
    """Why nothing can be set beside it; "" where it can."""
    other = kept.ready is not None and kept.ready.field.fingerprint != asked.loaded.fingerprint
    if kept.chosen.model != choices.MODEL.value or other:
        return (
            f"The reference is of another model, {kept.chosen.model}: its heads and splats are not "
            f"those of {asked.loaded.title}. Choose that model again, or pin a prompt of this one."
        )
    return ""


def beside(asked: Case, progress: Progress) -> Case | None:
    """The reference made ready; None where none is pinned, it is refused, or it is this case.

    Raises:
        InputError: there is nothing to read in its text.
        FieldError: its field is damaged, or the model ships none.
    """
    kept = pinned.current()
    if kept is None or refused(kept, asked):
        return None
    progress("Reading the reference", None)
    loaded = asked.loaded
    ready = kept.ready or engine.shipped(loaded.name, loaded.fingerprint)
    tokens = engine.tokens(loaded, kept.text)
    found = made_ready(loaded, tokens, ready, kept.chosen.reads, kept.chosen.way)
    return None if same(found, asked) else found


def same(reference: Case, asked: Case) -> bool:
    """Whether both are one case."""
    return (reference.key, reference.ready.identity) == (asked.key, asked.ready.identity)


def says_why_not(asked: Case) -> None:
    """On the page, where a reference is pinned and nothing is set beside it."""
    kept = pinned.current()
    if kept is None:
        return
    reason = refused(kept, asked)
    st.info(
        plain(
            reason
            or "This is the reference itself. Choose another prompt, other reads or another field, "
            "and their numbers appear here beside it, with their differences."
        )
    )
