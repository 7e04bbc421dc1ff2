"""The button. The browser knows the address; Python knows what is missing in it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from streamlit.components.v2 import component
from streamlit.components.v2.types import ComponentRenderer

from pages.ui import adapt_run, choices, given_log, long_texts, own_field, pinned

_FRONTEND = Path(__file__).parent / "frontend"

LONG_TEXT = (
    "Your prompt is too long for an address: the link names it by a checksum, and works only "
    "while this server remembers the text."
)
LONG_REFERENCE = (
    "The text of your pinned reference is too long for an address: the link works for it only "
    "while this server remembers the text."
)
OWN_FIELD = "You use a field of your own, which no link can hold."
OWN_REFERENCE = (
    "Your pinned reference uses a field that no link can hold: it stays in this session."
)
OWN_RUN = "Your run on Adapt, or the log that you opened, stays in this session: save its log."


@cache
def _component() -> ComponentRenderer:
    return component(
        "hsa_copy_link",
        css=(_FRONTEND / "copy.css").read_text("utf-8"),
        js=(_FRONTEND / "copy.js").read_text("utf-8"),
    )


def caveats() -> tuple[list[str], bool]:
    """What the address of this page does not hold, in sentences, and whether a bundle does."""
    said = []
    if not choices.SAMPLE.value and long_texts.by_digest(choices.TEXT.value):
        said.append(LONG_TEXT)
    if own_field.all_in_use():
        said.append(OWN_FIELD)
    in_a_bundle = bool(said)
    if pinned.is_long():
        said.append(LONG_REFERENCE)
    if pinned.stays_here():
        said.append(OWN_REFERENCE)
    if adapt_run.current() is not None or given_log.current() is not None:
        said.append(OWN_RUN)
    return said, in_a_bundle


def copy_link() -> bool:
    """The button; True when the visitor asks for a bundle in place of a link."""
    said, in_a_bundle = caveats()
    asked = _component()(
        key="copy-link", data={"caveats": said, "bundle": in_a_bundle}, on_bundle_change=_heard
    )
    return bool(asked.bundle)


def _heard() -> None:
    """A trigger needs somebody who listens; the page reads what is returned."""
