"""Explore: both attentions over every head of a prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import choices, cost, inputs, reference
from pages.ui.case import Case, case
from pages.ui.explore_downloads import downloads
from pages.ui.frame import frame
from pages.ui.plain import plain
from pages.ui.refusals import refusals
from pages.ui.start_reference import WITHOUT_ASKING, pick_difference
from pages.ui.take_away import CAMERA
from pages.ui.waiting import waiting

if TYPE_CHECKING:
    from hsa.evaluation.grid_difference import GridDifference
    from hsa.evaluation.head_grid import HeadGrid

GRID, TABLE = "head-grid", "head-table"

page = frame(
    "Explore",
    "Where does Hierarchical Splat Attention agree with standard attention, and what did it read?",
    prompt_in="page",
)
samples, upload = st.columns([5, 1], vertical_alignment="center")
with samples:
    inputs.sample_control()
with upload, st.popover("Upload a text"):
    inputs.upload_control()
inputs.prompt_control()


def main(asked: Case) -> None:
    """The prompt in tokens, the grid, and the head chosen in it."""
    reference.control(page, asked)
    _tokens(asked)
    grid = asked.kept_grid()
    if grid is None and len(asked.tokens) > WITHOUT_ASKING and not _wanted(asked):
        return
    if grid is None:
        with waiting() as progress:
            grid = asked.head_grid(progress)
    cost.current().read(grid.everything_read, grid.visible_keys, grid.tokens)
    _summary(grid)
    _grid(asked, grid)


def _wanted(asked: Case) -> bool:
    """Offer work that takes long; the offer is gone once it is taken."""
    offer = st.empty()
    with offer.container():
        st.info(
            f"All heads of {len(asked.tokens):,} tokens take about half a minute; 64 queries "
            "spread over the text are compared. Start when you are ready, or go straight to one "
            "head."
        )
        with st.container(horizontal=True, vertical_alignment="center"):
            wanted = st.button("Compare all heads", type="primary", key="compare-all")
            st.page_link("pages/compare.py", label="**Compare one head →**")
    if wanted:
        offer.empty()
    return wanted


def _tokens(asked: Case) -> None:
    import pandas as pd

    tokens = asked.tokens
    words = "token" if len(tokens) == 1 else "tokens"
    with st.expander(plain(f"{len(tokens):,} {words}, as {asked.loaded.title} reads them")):
        st.dataframe(
            pd.DataFrame({"token": list(tokens.strings), "id": list(tokens.ids)}),
            height=220,
        )


def _summary(grid: HeadGrid) -> None:
    from hsa.evaluation.grid_summary import sentence, summarise

    summary = summarise(grid)
    st.markdown(plain(sentence(summary)))
    notes = []
    if not grid.all_queries:
        notes.append(
            f"Measured on {grid.queries.numel()} of {grid.tokens:,} queries, in 8 stretches "
            "spread over the text."
        )
    if summary.exact_rows > 0:
        notes.append(
            f"{summary.exact_rows:.0%} of the rows had no more far keys than reads and read "
            "them all."
        )
    if summary.raised_rows > 0:
        notes.append(
            f"{summary.raised_rows:.0%} of the rows had more Documents than reads; each Document "
            "is read at least."
        )
    if notes:
        st.caption(plain(" ".join(notes)))


def _grid(asked: Case, grid: HeadGrid) -> None:
    from hsa.evaluation.scores import SCORES

    choices.among(choices.COLOUR, SCORES)
    layer = choices.within(choices.LAYER, grid.layers)
    head = choices.within(choices.HEAD, grid.heads)
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.selectbox(
            "Colour by",
            list(SCORES),
            format_func=lambda name: SCORES[name].title,
            **choices.COLOUR.widget(),
        )
        score = SCORES[choices.COLOUR.value]
        st.caption(plain(score.meaning))
        _map(grid, layer, head, pick_difference(asked, grid, score))
    with right:
        _head(grid, layer, head)
    with st.expander("All heads as a table: click a column to sort, a row to choose"):
        _table(grid)


def _map(grid: HeadGrid, layer: int, head: int, apart: GridDifference | None) -> None:
    from hsa.evaluation.scores import SCORES
    from hsa.figures.grid_difference import grid_difference_figure
    from hsa.figures.head_grid import head_grid_figure

    def clicked() -> None:
        points = st.session_state[GRID].selection.points
        if points:
            _choose(points[0]["y"], points[0]["x"])

    if apart is None:
        figure = head_grid_figure(grid, SCORES[choices.COLOUR.value], (layer, head))
    else:
        figure = grid_difference_figure(apart, (layer, head))
    st.plotly_chart(
        figure,
        key=GRID,
        on_select=clicked,
        selection_mode="points",
        config={"displaylogo": False, "toImageButtonOptions": {"format": "png", "scale": 3}},
    )
    downloads(grid, figure, layer, head)


def _head(grid: HeadGrid, layer: int, head: int) -> None:
    from hsa.evaluation.scores import SCORES
    from hsa.figures.answered_mass import answered_mass_figure
    from hsa.figures.head_grid import shown

    worst = divmod(int(grid.error.argmax()), grid.heads)
    beside = st.columns(2)
    beside[0].selectbox("Layer", range(grid.layers), **choices.LAYER.widget())
    beside[1].selectbox("Head", range(grid.heads), **choices.HEAD.widget())
    with st.container(horizontal=True, vertical_alignment="center"):
        st.page_link("pages/compare.py", label=f"**Compare layer {layer}, head {head} →**")
        st.button(
            "Show the worst head",
            on_click=_choose,
            args=worst,
            disabled=(layer, head) == worst,
            key="worst-head",
        )
    values = {name: shown(s, float(s.of(grid)[layer, head])) for name, s in SCORES.items()}
    for place, name in zip(st.columns(2), ("error", "opened_only_error"), strict=True):
        place.metric(SCORES[name].title, values[name], help=SCORES[name].meaning)
    st.caption(
        plain(
            f"HSA read {values['reads']} splats or far tokens and {grid.near_keys:.1f} near tokens "
            f"per query. Standard attention of this head: entropy {values['entropy']}, sink share "
            f"{values['sink']}, previous-token score {values['previous']}, induction score "
            f"{values['induction']}."
        )
    )
    st.caption(
        plain(
            f"What answers for HSA's attention mass in layer {layer}, head {head}; the mean of "
            "all heads in grey."
        )
    )
    st.plotly_chart(
        answered_mass_figure(grid, layer, head),
        key="answered-mass",
        config=CAMERA,
    )


def _table(grid: HeadGrid) -> None:
    from hsa.evaluation.scores import SCORES
    from hsa.figures.head_table import head_table
    from pages.ui.tables import score_columns

    def clicked() -> None:
        rows = st.session_state[TABLE].selection.rows
        if rows:
            _choose(*divmod(rows[0], grid.heads))

    st.dataframe(
        head_table(grid),
        key=TABLE,
        hide_index=True,
        on_select=clicked,
        selection_mode="single-row",
        column_config=score_columns(SCORES),
    )


def _choose(layer: int, head: int) -> None:
    choices.LAYER.choose(int(layer))
    choices.HEAD.choose(int(head))


asked = case(page, "Pick a sample above, or type a text and press Ctrl + Enter.")
with refusals():
    main(asked)
