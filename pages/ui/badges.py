"""How a number was come by, beside the number."""

from __future__ import annotations

from typing import Literal

import streamlit as st

from pages.ui.terms import entry, means

Badge = Literal["measured", "derived", "approximate"]
COLOURS: dict[Badge, str] = {"measured": "green", "derived": "blue", "approximate": "orange"}


def badge(kind: Badge, what: str = "") -> None:
    """The badge, with its meaning from the glossary.

    Args:
        what: the numbers that it speaks of, in Markdown, written after it.
    """
    said = f":{COLOURS[kind]}-badge[{kind}] {what}".strip()
    st.markdown(said, help=means(kind.capitalize()), width="content")


def meanings() -> str:
    """All three in a line each, for a caption."""
    return "  \n".join(
        f":{colour}-badge[{kind}] {entry(kind.capitalize()).meaning}"
        for kind, colour in COLOURS.items()
    )
