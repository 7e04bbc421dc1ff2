"""How figures and numbers leave the app: the camera on a figure, files made when asked for."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import PurePath
from typing import Any

import streamlit as st

CAMERA: dict[str, Any] = {"displaylogo": False, "toImageButtonOptions": {"format": "svg"}}
"""Plotly's settings for a figure whose camera saves an SVG."""

MIMES = {
    ".csv": "text/csv",
    ".html": "text/html",
    ".npz": "application/octet-stream",
    ".log": "application/octet-stream",
    ".zip": "application/zip",
}


def file_button(label: str, name: str, make: Callable[[], bytes], *, key: str = "") -> None:
    """A button that has a file made and saves it.

    Args:
        make: called in another thread, which knows no visitor: it must read no choice.
        key: of the widget; the label serves where it is the only one of its page.
    """
    st.download_button(
        label, make, name, MIMES[PurePath(name).suffix], on_click="ignore",
        key=f"download-{key or label}",
    )  # fmt: skip


def in_file_name(name: str) -> str:
    """A model's or a film's name as part of a file's name."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-") or "model"
