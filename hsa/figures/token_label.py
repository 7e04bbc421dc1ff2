"""A token as a label: whatever it holds, it is one line of plain text."""

from __future__ import annotations

import html
import re

_VISIBLE = {"\n": "↵", "\r": "↵", "\t": "⇥"}
# Control characters, halves of characters, and those that turn the text after them around.
_UNSEEN = re.compile(
    "[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
MOST_CHARACTERS = 32


def token_label(token: str) -> str:
    """The token without its outer spaces; one of spaces alone shows them."""
    shown = _UNSEEN.sub(lambda match: _VISIBLE.get(match[0], "\ufffd"), token)
    label = shown.strip() or shown.replace(" ", "␣") or "∅"
    return label if len(label) <= MOST_CHARACTERS else label[: MOST_CHARACTERS - 1] + "…"


def token_in_text(token: str) -> str:
    """The token as it stands in a text: spaces and line breaks kept, what is unseen shown."""
    marks = {"\n": "↵\n", "\t": "\t", "\r": ""}
    return _UNSEEN.sub(lambda match: marks.get(match[0], "\ufffd"), token)


def for_plotly(text: str) -> str:
    """Text in which Plotly finds neither tags nor formulas nor placeholders."""
    escaped = html.escape(text, quote=False)
    return escaped.replace("$", "&#36;").replace("%{", "%&#123;")
