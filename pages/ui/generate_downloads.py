"""What can be taken away from a continuation and a conversation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui.take_away import file_button

if TYPE_CHECKING:
    from hsa.inference.chat import Chat
    from hsa.inference.text_agreement import TextAgreement

CAMERA_TOO = "SVG of a figure: the camera on it, here or in its HTML file."


def agreement_downloads(found: TextAgreement) -> None:
    """KL along the text, and the numbers; made when asked for."""
    from hsa.figures import generate_files as files

    with st.popover("Download"):
        file_button("KL along the text (HTML, with its SVG)", "next-tokens.html",
                    lambda: files.next_tokens_html(found))  # fmt: skip
        file_button("Every token (CSV)", "next-tokens.csv", lambda: files.next_tokens_csv(found))
        file_button("Means (CSV)", "next-token-means.csv", lambda: files.means_csv(found))
        file_button("Arrays and tokens (NPZ)", "next-tokens.npz",
                    lambda: files.next_tokens_npz(found))  # fmt: skip
        st.caption(CAMERA_TOO)


def chat_downloads(talk: Chat) -> None:
    """β now and over the turns; made when asked for."""
    from hsa.figures import generate_files as files

    # The conversation goes on in another thread: what is saved is what is shown.
    beta, history = talk.controller.beta.tolist(), tuple(talk.controller.history)
    bound = talk.controller.settings.bound
    with st.popover("Download"):
        file_button("β of every layer (HTML, with its SVG)", "beta.html",
                    lambda: files.beta_html(beta))  # fmt: skip
        file_button("β of every layer (CSV)", "beta.csv", lambda: files.beta_csv(beta))
        if history:
            file_button("Turns (HTML, with its SVG)", "turns.html",
                        lambda: files.turns_html(history, bound))  # fmt: skip
            file_button("Turns (CSV)", "turns.csv", lambda: files.turns_csv(history))
            file_button("Turns as arrays (NPZ)", "turns.npz",
                        lambda: files.turns_npz(history, bound))  # fmt: skip
        st.caption(CAMERA_TOO)
