"""What can be taken away from a portrait and its counterfactuals."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import streamlit as st

from pages.ui.portrait_view import SplatView

if TYPE_CHECKING:
    from hsa.evaluation.splat_effect import HeadEffect, NextTokenEffect
    from hsa.explanation.counterfactual import Counterfactual


def downloads(view: SplatView) -> None:
    """Tables as CSV, arrays as NPZ; made when asked for."""
    from hsa.figures import portrait_files as files

    shown, name = view.shown, _name(view)
    with st.popover("Download"):
        _button("Tokens it holds (CSV)", f"{name}-tokens.csv", lambda: files.held_csv(shown))
        _button("Pairs (CSV)", f"{name}-pairs.csv", lambda: files.pairs_csv(shown))
        _button("Family (CSV)", f"{name}-family.csv", lambda: files.family_csv(shown))
        _button(
            "Weights and profiles (NPZ)", f"{name}.npz",
            lambda: files.portrait_npz(shown, view.strings),
        )  # fmt: skip
        st.caption("SVG of a figure: the camera on it.")


def effect_downloads(
    view: SplatView, found: Counterfactual, effects: tuple[HeadEffect, ...]
) -> None:
    """Every row in every case."""
    from hsa.figures import portrait_files as files

    name = _name(view)
    with st.popover("Download the counterfactuals"):
        _button(
            "Every row (CSV)", f"{name}-rows.csv", lambda: files.rows_csv(effects, found)
        )  # fmt: skip
        _button(
            "Outputs and changes (NPZ)", f"{name}-counterfactual.npz",
            lambda: files.counterfactual_npz(found, effects, view.strings),
        )  # fmt: skip


def next_token_download(view: SplatView, effects: tuple[NextTokenEffect, ...], which: str) -> None:
    """KL at every position."""
    from hsa.figures import portrait_files as files

    _button(
        f"KL at every position, {which} (CSV)", f"{_name(view)}-{which}-next-tokens.csv",
        lambda: files.next_tokens_csv(effects, view.strings),
    )  # fmt: skip


def _name(view: SplatView) -> str:
    model = re.sub(r"[^\w.-]+", "-", view.asked.loaded.name).strip("-") or "model"
    return f"{model}-layer{view.layer}-head{view.head}-splat{view.shown.splat_id}"


def _button(label: str, name: str, make: Callable[[], bytes]) -> None:
    mime = "text/csv" if name.endswith(".csv") else "application/octet-stream"
    st.download_button(label, make, name, mime, on_click="ignore", key=f"download-{label}")
