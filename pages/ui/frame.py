"""What every page begins with: title, shared controls, notices.

A deep link that is a server's first request runs the page without `app.py`, so nothing here
may rely on it. Nothing slow is imported: the first paint does not wait for torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlencode

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.ui import choices, cost, inputs, preload, tour
from pages.ui.copy_link import copy_link
from pages.ui.plain import plain

NAVIGATED = "navigated"
"""Session key that `app.py` sets: only then can Streamlit link to pages itself."""

PAGES = {
    "pages/start.py": "Explore",
    "pages/compare.py": "Compare a head",
    "pages/atlas.py": "Atlas",
    "pages/portrait.py": "Splat",
    "pages/functions.py": "What splats serve",
    "pages/health.py": "Health",
    "pages/generate.py": "Generate",
    "pages/adapt.py": "Adapt",
    "pages/library.py": "Library",
    "pages/glossary.py": "What the words mean",
}

ICON = Path(__file__).resolve().parents[2] / "assets" / "icon.png"


@dataclass(frozen=True)
class Frame:
    """Places of the frame that are filled once the engine knows more."""

    reads_note: DeltaGenerator
    reference: DeltaGenerator


def frame(
    title: str,
    question: str,
    *,
    prompt_in: Literal["sidebar", "page"] = "sidebar",
    reads: bool = True,
) -> Frame:
    """Set the page up; the first call of every page.

    Args:
        question: the one question that this page answers.
        prompt_in: "page" when the page shows the prompt's controls itself.
        reads: whether the page uses the shared reads.
    """
    # A file: icons by name would be fetched from the network by the browser.
    st.set_page_config(f"{title} · HSA Explorer", str(ICON), layout="wide")
    preload.start()
    choices.restore()
    choices.keep_in_address()
    with st.sidebar:
        _links()
        tour.offer()
        inputs.model_control()
        if prompt_in == "sidebar":
            inputs.sample_control()
            inputs.prompt_control()
        note = inputs.reads_control() if reads else st.empty()
        reference = st.container()
        cost.begin()
    with st.container(
        horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
    ):
        st.title(title, width="content")
        wants_a_bundle = copy_link()
    st.caption(question)
    if wants_a_bundle:
        # Where a head is compared, bundles are made.
        go_to("pages/compare.py")
    tour.step(navigated=NAVIGATED in st.session_state)
    for sentence in choices.notices():
        st.warning(plain(sentence))
    return Frame(note, reference)


def go_to(file: str) -> None:
    """Switch to a page; where the page at hand runs without `app.py`, a link to it."""
    if NAVIGATED in st.session_state:
        st.switch_page(file)
    place = f"{_place(file)}?{urlencode(choices.parameters())}"
    st.markdown(f"[**Go on to {PAGES[file]}**]({place})")


def _place(file: str) -> str:
    return "./" if file == next(iter(PAGES)) else Path(file).stem


def _links() -> None:
    """The other pages; as plain addresses when the page runs without `app.py`.

    Streamlit's own list would then name files, so it is switched off in the configuration.
    """
    for file, title in PAGES.items():
        if NAVIGATED in st.session_state:
            st.page_link(file, label=title)
        else:
            st.markdown(f"[{title}]({_place(file)})")
    st.divider()
