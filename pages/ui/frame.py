"""What every page begins with: title, shared controls, notices.

A deep link that is a server's first request runs the page without `app.py`, so nothing here
may rely on it. Nothing slow is imported: the first paint does not wait for torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.ui import choices, inputs, preload
from pages.ui.plain import plain


@dataclass(frozen=True)
class Frame:
    """Places of the frame that are filled once the engine knows more."""

    reads_note: DeltaGenerator


def frame(
    title: str, question: str, *, prompt_in: Literal["sidebar", "page"] = "sidebar"
) -> Frame:
    """Set the page up; the first call of every page.

    Args:
        question: the one question that this page answers.
        prompt_in: "page" when the page shows the prompt's controls itself.
    """
    st.set_page_config(
        page_title=f"{title} · HSA Explorer", page_icon=":material/blur_on:", layout="wide"
    )
    preload.start()
    choices.restore()
    choices.keep_in_address()
    with st.sidebar:
        inputs.model_control()
        if prompt_in == "sidebar":
            inputs.sample_control()
            inputs.prompt_control()
        note = inputs.reads_control()
        st.page_link("pages/glossary.py", label="What the words mean", icon=":material/menu_book:")
    st.title(title)
    st.caption(question)
    for sentence in choices.notices():
        st.warning(plain(sentence))
    return Frame(note)
