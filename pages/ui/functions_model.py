"""The map of layers × heads by function."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import choices, chosen_splat
from pages.ui.plain import plain
from pages.ui.take_away import CAMERA

if TYPE_CHECKING:
    from hsa.models.loaded import LoadedModel
    from hsa.specialization.findings import Finding, Findings

MAP = "functions-map"


def whole_model(loaded: LoadedModel, found: Findings, layer: int, head: int) -> str:
    """Where a function is served, and what is served most; its name."""
    from hsa.figures.functions import function_map_figure
    from hsa.specialization.findings import ALL
    from hsa.specialization.summary import summarise

    summary = {one.name: one for one in summarise(found)}
    if not summary:
        st.info("Nothing was found that holds in both halves of the texts.")
        st.stop()
    titles = {one.name: _title(one.kind, one.title) for one in ALL}
    if choices.FUNCTION.value:
        choices.among(choices.FUNCTION, summary)
    left, right = st.columns([3, 2], gap="large")
    with left:
        first = next(iter(summary))
        st.selectbox(
            "Function", ["", *summary],
            format_func=lambda name: (
                f"{titles[name]}: {summary[name].splats:,} splats" if name
                else f"{titles[first]}, what most splats are for"
            ),
            **choices.FUNCTION.widget(),
        )  # fmt: skip
        name = choices.FUNCTION.value or first
        st.plotly_chart(
            function_map_figure(found, name, loaded.layers, loaded.query_heads, (layer, head)),
            key=MAP, on_select=_clicked, selection_mode="points", config=CAMERA,
        )  # fmt: skip
    with right:
        one = summary[name]
        st.metric("Splats that serve it", f"{one.splats:,}")
        st.caption(
            plain(
                f"For {one.strongest_for:,} of them it is what tells most among functions of its "
                f"kind; of {one.strong:,} it tells at least half a bit. By level: "
                + ", ".join(f"{count} {level}s" for level, count in one.by_level.items())
                + f". The most telling: layer {one.best.layer}, head {one.best.head}, "
                f"splat {one.best.splat_id}: {one.best.evidence}"
            )
        )
        st.button("Go to it", on_click=_go_to, args=(loaded, found, one.best), key="functions-best")
        beside = st.columns(2)
        beside[0].selectbox("Layer", range(loaded.layers), **choices.LAYER.widget())
        beside[1].selectbox("Head", range(loaded.query_heads), **choices.HEAD.widget())
    return name


def _title(kind: str, title: str) -> str:
    return f"{'holds' if kind == 'token' else 'carries'} {title}"


def _clicked() -> None:
    points = st.session_state[MAP].selection.points
    if points:
        choices.LAYER.choose(int(points[0]["y"]))
        choices.HEAD.choose(int(points[0]["x"]))


def _go_to(loaded: LoadedModel, found: Findings, best: Finding) -> None:
    """Choose the splat of a finding, and the very query head where it is of one."""
    pair = best.function.kind == "pair"
    group = best.head // found.group if pair else best.head
    chosen_splat.choose(loaded.fingerprint, best.layer, group, found.group, best.splat_id)
    if pair:
        choices.HEAD.choose(best.head)
