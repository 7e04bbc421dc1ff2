"""A file that the visitor brings: what it is, why it is refused, and what can be done with it.

It belongs to the visitor's session. A refused file changes nothing.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from hsa.errors import HSAError
from pages.ui import library_bundle, library_field, library_log, refusals
from pages.ui.plain import plain

if TYPE_CHECKING:
    from hsa.sharing.given_file import Given

FILE, OPENED, REFUSED = "library-file", "library-opened", "library-refused"


@dataclass(frozen=True)
class Opened:
    """A file that was understood."""

    name: str
    sha256: str
    bytes: int
    given: Given


def upload() -> None:
    """Where a file is dropped, and why it was refused."""
    st.subheader("Open a file", anchor=False)
    st.file_uploader(
        "A bundle or a field (.zip), or the log of an adaptation (.log), up to 20 MB",
        type=["zip", "log"], key=FILE, on_change=_heard,
    )  # fmt: skip
    refusal = st.session_state.get(REFUSED)
    if refusal is not None:
        refusals.show(refusal)


def opened() -> None:
    """What the last file holds that was understood."""
    shown: Opened | None = st.session_state.get(OPENED)
    if shown is None:
        st.caption(
            "Compare makes bundles (Download → Bundle), Adapt logs and fields; all of them can be "
            "opened here. What you open belongs to this session: no other visitor sees it."
        )
        return
    from hsa.sharing.bundle import Bundle
    from hsa.sharing.given_file import GivenField

    with st.container(border=True, key="library-opened-file"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(plain(f"{shown.name}, {shown.bytes:,} bytes, sha256 {shown.sha256[:16]}"))
            st.button("Close the file", key="library-close", on_click=_close)
        if isinstance(shown.given, Bundle):
            library_bundle.show(shown.given, shown.sha256)
        elif isinstance(shown.given, GivenField):
            library_field.show(shown.given)
        else:
            library_log.show(shown.given)


def _heard() -> None:
    from hsa.sharing.given_file import given

    file = st.session_state[FILE]
    if file is None:
        return
    content = file.getvalue()
    try:
        found = given(content)
    except HSAError as refusal:
        st.session_state[REFUSED] = refusal
        return
    st.session_state[REFUSED] = None
    digest = hashlib.sha256(content).hexdigest()
    st.session_state[OPENED] = Opened(file.name, digest, len(content), found)


def _close() -> None:
    st.session_state[OPENED] = st.session_state[REFUSED] = None
