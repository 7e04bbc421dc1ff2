"""A field of the visitor's own, adapted here or from a file, and used on every page.

It lies in the visitor's session and nowhere else. Results that are made with it are kept under
the name of its content, as all are, so no other visitor is ever shown one of them by mistake.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui.plain import plain

if TYPE_CHECKING:
    from hsa.models.loaded import LoadedModel
    from pages.ui.engine import ReadyField

_KEY = "own-fields"


def of(fingerprint: str) -> ReadyField | None:
    """The field that this visitor uses for the model in place of the shared one."""
    return st.session_state.get(_KEY, {}).get(fingerprint)


def all_in_use() -> tuple[ReadyField, ...]:
    """The fields that the visitor uses, of whatever model."""
    return tuple(st.session_state.get(_KEY, {}).values())


def use(fingerprint: str, ready: ReadyField) -> None:
    """From now on, on every page, until `leave`."""
    st.session_state[_KEY] = {**st.session_state.get(_KEY, {}), fingerprint: ready}


def leave(fingerprint: str) -> None:
    """Back to the field that all visitors share."""
    kept = st.session_state.get(_KEY, {})
    st.session_state[_KEY] = {name: ready for name, ready in kept.items() if name != fingerprint}


def notice(loaded: LoadedModel) -> None:
    """Say that what the page shows comes from the visitor's own field, with the way back."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.info(
            plain(
                f"Everything here uses the field of {loaded.title} that you {_got(loaded)}. It "
                "belongs to this session alone, and is gone with it unless you save it."
            ),
            width="stretch",
        )
        st.button(
            "Back to the shipped field",
            key="own-field-leave",
            on_click=leave,
            args=(loaded.fingerprint,),
        )


def _got(loaded: LoadedModel) -> str:
    ready = of(loaded.fingerprint)
    return "opened from a file" if ready and ready.origin == "from a file" else "adapted"
