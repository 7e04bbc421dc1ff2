"""Which head is compared: pickers, title, and what to know about short texts."""

from __future__ import annotations

import streamlit as st

from pages.ui import choices
from pages.ui.case import Case
from pages.ui.compare_view import HeadView
from pages.ui.inputs import WAYS
from pages.ui.plain import plain
from pages.ui.refusals import refusals
from pages.ui.take_away import CAMERA
from pages.ui.terms import means
from pages.ui.waiting import waiting

GRID = "compare-grid"


def pick_head(asked: Case) -> tuple[int, int]:
    """Layer and head by select boxes, arrows, or a click in the grid."""
    layers, heads = asked.loaded.layers, asked.loaded.query_heads
    told = set(choices.notices())
    layer = choices.within(choices.LAYER, layers)
    head = choices.within(choices.HEAD, heads)
    for sentence in choices.notices():
        if sentence not in told:
            st.warning(plain(sentence))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        _arrow("← layer", "layer-before", layer > 0, layer - 1, head)
        st.selectbox("Layer", range(layers), width=90, **choices.LAYER.widget())
        _arrow("layer →", "layer-after", layer < layers - 1, layer + 1, head)
        _arrow("← head", "head-before", head > 0, layer, head - 1)
        st.selectbox("Head", range(heads), width=90, **choices.HEAD.widget())
        _arrow("head →", "head-after", head < heads - 1, layer, head + 1)
        with st.popover("Choose in the grid"):
            _grid(asked, layer, head)
    return layer, head


def _arrow(label: str, key: str, possible: bool, layer: int, head: int) -> None:
    st.button(label, key=key, disabled=not possible, on_click=_choose, args=(layer, head))


def _choose(layer: int, head: int) -> None:
    choices.LAYER.choose(layer)
    choices.HEAD.choose(head)


def _grid(asked: Case, layer: int, head: int) -> None:
    grid = asked.kept_grid()
    if grid is None:
        offer = st.empty()
        with offer.container():
            st.caption("The grid shows how well HSA does in every head of this text.")
            if not st.button("Measure all heads", key="compare-measure-all"):
                return
            with refusals(), waiting() as progress:
                grid = asked.head_grid(progress)
        offer.empty()
    from hsa.evaluation.scores import SCORES
    from hsa.figures.head_grid import head_grid_figure

    def clicked() -> None:
        points = st.session_state[GRID].selection.points
        if points:
            _choose(int(points[0]["y"]), int(points[0]["x"]))

    score = SCORES[choices.COLOUR.value if choices.COLOUR.value in SCORES else "agreement"]
    st.caption(plain(f"{score.title}: {score.meaning}"))
    figure = head_grid_figure(grid, score, (layer, head))
    st.plotly_chart(
        figure, key=GRID, on_select=clicked, selection_mode="points", width=460,
        config=CAMERA,
    )  # fmt: skip


def heading(view: HeadView) -> None:
    """Which head this is, what it reads, and how well it does."""
    compared, asked = view.compared, view.asked
    words = "token" if len(view.strings) == 1 else "tokens"
    st.subheader(plain(f"{view.title}, {len(view.strings):,} {words}"), anchor=False)
    asked_for = f"{asked.reads} asked for, on average over all heads; {WAYS[asked.way].lower()}"
    if view.difference is not None:
        asked_for = "its part of the choosing included"
    st.markdown(
        f"Output error of HSA **{compared.error:.1%}**; of the tokens it read with the closed "
        f"splats dropped **{compared.opened_only_error:.1%}**.  \n"
        + plain(
            f"A query of this head reads {compared.reads.float().mean():.1f} splats or far tokens "
            f"({asked_for}) and "
            f"{compared.near_keys.float().mean():.1f} near tokens, where standard attention reads "
            f"{compared.visible_keys.float().mean():,.1f} keys."
        ),
        help=means("Error", "Splat", "Reads", "Near tokens"),
    )


def short_text_notes(view: HeadView) -> None:
    """What is going on where HSA has little or nothing to leave out."""
    compared = view.compared
    count = len(compared.queries)
    if len(view.strings) == 1:
        st.info(
            "One token sees only itself: its weight is 1 in both attentions, and there is nothing "
            "to leave out. Type a sentence to see splats at work."
        )
    elif bool((compared.near_keys == compared.visible_keys).all()):
        st.info(
            "Every key of this text is near: the first tokens, the last few, and special ones are "
            "always read as tokens. Nothing is far, so no splat is asked and both attentions are "
            "the same. Type a longer sentence to see splats at work."
        )
    elif not bool(compared.closed.any()):
        st.info(
            "No query leaves a splat closed here: the reads suffice for all far keys, so HSA is "
            "standard attention. Ask for fewer reads in the side bar to see splats at work."
        )
    elif bool(compared.whole.any()):
        whole = int(compared.whole.sum())
        st.caption(
            f"{whole:,} of {count:,} queries have no more far keys than reads: they read them "
            "all, evaluate no splat, and equal standard attention."
        )
    raised = int(compared.raised.sum())
    if raised:
        st.caption(
            f"For {raised:,} of {count:,} queries the reads asked for were fewer than the "
            "Documents that hold their keys, and were raised to one for each."
        )
