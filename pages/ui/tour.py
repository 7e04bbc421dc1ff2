"""A guided tour for newcomers: five steps, each a sentence and a way to what it speaks of."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from pages.ui import choices, kept

NAME = "tour-step"


@dataclass(frozen=True)
class Step:
    """One step: `file` is the page, `sets` what it chooses there; all else is as by default."""

    file: str
    title: str
    says: str
    sets: tuple[tuple[choices.Choice[Any], Any], ...] = ()


_HEAD: tuple[tuple[choices.Choice[Any], Any], ...] = (
    (choices.MODEL, "smollm2"),
    (choices.SAMPLE, "repeat"),
)
STEPS = (
    Step(
        "pages/start.py", "Which heads look back?",
        "Every square is a head of SmolLM2 reading a text that repeats itself; the colour shows "
        "which of them look back at what came next the last time, and a click chooses one.",
        (*_HEAD, (choices.COLOUR, "induction"), (choices.LAYER, 18), (choices.HEAD, 6)),
    ),
    Step(
        "pages/compare.py", "Why this weight?",
        "Below three maps one weight is taken apart: query 24 looks at “wolf”, which followed "
        "“white” before, and four shares, one for each level of the field, multiply to it.",
        (*_HEAD, (choices.LAYER, 18), (choices.HEAD, 6), (choices.CELL, (24, 10))),
    ),
    Step(
        "pages/compare.py", "Where does HSA err?",
        "With 8 reads per query in place of 13 closed splats must answer for more, and in this "
        "row they mislead: the difference map and the bars show by how much.",
        (*_HEAD, (choices.READS, 8), (choices.LAYER, 18), (choices.HEAD, 7),
         (choices.CELL, (43, 14))),
    ),
    Step(
        "pages/adapt.py", "How does a field learn?",
        "This recorded film shows one head's splats while texts of dialogue arrive: they are "
        "born, divide, merge and die, and what did harm was rolled back.",
        ((choices.MODEL, "smollm2"),),
    ),
    Step(
        "pages/library.py", "How do you keep and show it?",
        "Copy link, beside every title, restores a page; a bundle keeps its numbers too, and here "
        "anybody can open one and have them worked out again.",
    ),
)  # fmt: skip
_RESET: tuple[choices.Choice[Any], ...] = (
    choices.READS, choices.WAY, choices.OPENING, choices.FROM, choices.MEASURE, choices.SCALE,
    choices.HIDE_FIRST, choices.PART, choices.FILM, choices.STEP, choices.SPLAT,
)  # fmt: skip


def offer() -> None:
    """The way into the tour, in the side bar."""
    if kept.value(NAME, None) is None:
        st.button("Take the tour", key="tour-begin", on_click=kept.keep, args=(NAME, 0))


def step(*, navigated: bool) -> None:
    """The step that the visitor is at, if they take the tour.

    Args:
        navigated: whether Streamlit can switch pages itself.
    """
    at = kept.value(NAME, None)
    if at is None:
        return
    now = STEPS[at]
    with st.container(border=True, key="tour"):
        st.markdown(f"**Tour, {at + 1} of {len(STEPS)}: {now.title}**  \n{now.says}")
        with st.container(horizontal=True, vertical_alignment="center"):
            _way_there(now, navigated)
            st.button("Back", key="tour-back", on_click=kept.keep, args=(NAME, at - 1),
                      disabled=at == 0)  # fmt: skip
            st.button("Next", key="tour-next", on_click=kept.keep, args=(NAME, at + 1),
                      disabled=at == len(STEPS) - 1)  # fmt: skip
            st.button("Leave the tour", key="tour-leave", on_click=kept.keep, args=(NAME, None))


def _way_there(now: Step, navigated: bool) -> None:
    if navigated:
        if st.button("Take me there", key="tour-go", type="primary"):
            _choose(now)
            st.switch_page(now.file)
        return
    # A page that runs without `app.py` can only be left by an address.
    asked = {choice.name: choice.write(value) for choice, value in now.sets}
    place = "./" if now.file == STEPS[0].file else Path(now.file).stem
    st.markdown(f"[**Take me there**]({place}?{urlencode(asked)})", width="content")


def _choose(now: Step) -> None:
    """What the step speaks of, and nothing that the visitor chose before."""
    for choice in _RESET:
        choice.choose(choice.default)
    if any(choice is choices.SAMPLE for choice, _ in now.sets):
        choices.choose_text("")
    for choice, value in now.sets:
        choice.choose(value)
