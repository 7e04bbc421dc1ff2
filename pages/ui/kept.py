"""What a visitor has entered, kept for the session across pages and not in the address.

Widgets are forgotten on pages that do not show them; these values live under keys of their own.
"""

from __future__ import annotations

from typing import Any

import streamlit as st


def value(name: str, default: Any) -> Any:
    """What was entered last."""
    return st.session_state.get(f"kept-{name}", default)


def keep(name: str, entered: Any) -> None:
    """Enter it from outside of the widget."""
    st.session_state[f"kept-{name}"] = entered


def widget(name: str, default: Any) -> dict[str, Any]:
    """`key` and `on_change` of a widget that shows and changes the value."""
    key = f"ask-{name}"
    if key not in st.session_state or st.session_state[key] != value(name, default):
        st.session_state[key] = value(name, default)
    return {"key": key, "on_change": lambda: keep(name, st.session_state[key])}
