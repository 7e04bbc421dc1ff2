"""Own texts in the address: short ones as they are, long ones by a digest of them.

A digest is answered from this server's memory only, within a bound, so a link to a long text
works until the server restarts or many others have come.
"""

import hashlib
import re

import streamlit as st

from pages.ui.plain import sendable
from pages.ui.store import Store

MOST_CHARACTERS = 500
MEMORY_BYTES = 16_000_000
_DIGEST = re.compile("sha256:[0-9a-f]{40}")


@st.cache_resource(max_entries=1, show_spinner=False)
def _texts() -> Store[str]:
    return Store(MEMORY_BYTES, lambda text: len(text.encode()))


def write(text: str) -> str:
    """What stands for the text in the address."""
    if len(text) <= MOST_CHARACTERS and not _DIGEST.fullmatch(text):
        return text
    digest = f"sha256:{hashlib.sha256(text.encode()).hexdigest()[:40]}"
    _texts().put(digest, text)
    return digest


def read(parameter: str) -> str:
    """The text that the address means; ValueError for a long one that is gone."""
    if not _DIGEST.fullmatch(parameter):
        return sendable(parameter)
    text = _texts().peek(parameter)
    if text is None:
        raise ValueError(parameter)
    return text
