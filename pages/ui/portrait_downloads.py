"""What can be taken away from a portrait and its counterfactuals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui.portrait_view import SplatView
from pages.ui.take_away import file_button, in_file_name

if TYPE_CHECKING:
    from hsa.evaluation.splat_effect import HeadEffect, NextTokenEffect
    from hsa.explanation.counterfactual import Counterfactual


def downloads(view: SplatView) -> None:
    """Tables as CSV, arrays as NPZ; made when asked for."""
    from hsa.figures import portrait_files as files

    shown, name = view.shown, _name(view)
    with st.popover("Download"):
        file_button("Tokens it holds (CSV)", f"{name}-tokens.csv", lambda: files.held_csv(shown))
        file_button("Pairs (CSV)", f"{name}-pairs.csv", lambda: files.pairs_csv(shown))
        file_button("Family (CSV)", f"{name}-family.csv", lambda: files.family_csv(shown))
        file_button(
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
        file_button(
            "Every row (CSV)", f"{name}-rows.csv", lambda: files.rows_csv(effects, found)
        )  # fmt: skip
        file_button(
            "Outputs and changes (NPZ)", f"{name}-counterfactual.npz",
            lambda: files.counterfactual_npz(found, effects, view.strings),
        )  # fmt: skip


def next_token_download(view: SplatView, effects: tuple[NextTokenEffect, ...], which: str) -> None:
    """KL at every position."""
    from hsa.figures import portrait_files as files

    file_button(
        f"KL at every position, {which} (CSV)", f"{_name(view)}-{which}-next-tokens.csv",
        lambda: files.next_tokens_csv(effects, view.strings),
    )  # fmt: skip


def _name(view: SplatView) -> str:
    model = in_file_name(view.asked.loaded.name)
    return f"{model}-layer{view.layer}-head{view.head}-splat{view.shown.splat_id}"
