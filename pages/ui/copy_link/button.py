"""The button. The browser knows the address; Python knows what is missing in it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from streamlit.components.v2 import component
from streamlit.components.v2.types import ComponentRenderer

from pages.ui import choices, long_texts, own_field

_FRONTEND = Path(__file__).parent / "frontend"

LONG_TEXT = (
    "Your prompt is too long for an address: the link names it by a checksum, and works only "
    "while this server remembers the text."
)
OWN_FIELD = "You use a field of your own, which no link can hold."


@cache
def _component() -> ComponentRenderer:
    return component(
        "hsa_copy_link",
        css=(_FRONTEND / "copy.css").read_text("utf-8"),
        js=(_FRONTEND / "copy.js").read_text("utf-8"),
    )


def caveats() -> list[str]:
    """What the address of this page does not hold, in sentences."""
    said = []
    if not choices.SAMPLE.value and long_texts.by_digest(choices.TEXT.value):
        said.append(LONG_TEXT)
    if own_field.all_in_use():
        said.append(OWN_FIELD)
    return said


def copy_link() -> bool:
    """The button; True when the visitor asks for a bundle in place of a link."""
    asked = _component()(key="copy-link", data={"caveats": caveats()}, on_bundle_change=_heard)
    return bool(asked.bundle)


def _heard() -> None:
    """A trigger needs somebody who listens; the page reads what is returned."""
