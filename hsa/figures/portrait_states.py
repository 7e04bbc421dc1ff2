"""For which share of the queries a splat was closed, opened, or not asked."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import plotly.graph_objects as go

from hsa.figures.bars import percent
from hsa.figures.colours import ANSWER_COLOURS, BACKGROUND
from hsa.specialization.states import MEANS, SplatState, StateShare

COLOURS: dict[SplatState, str] = {
    "closed": ANSWER_COLOURS[3],
    "opened": ANSWER_COLOURS[1],
    "below a closed splat": ANSWER_COLOURS[4],
    "replaced": ANSWER_COLOURS[2],
    "not needed": ANSWER_COLOURS[0],
    "near only": "#8a93a3",
    "no key yet": BACKGROUND,
}


def states_figure(states: Sequence[StateShare]) -> go.Figure:
    """A bar a state; together they are all queries."""
    figure = go.Figure()
    names = [state.state for state in states]
    figure.add_bar(
        x=[state.share for state in states],
        y=names,
        orientation="h",
        marker={"color": [COLOURS[state.state] for state in states]},
        text=[percent(state.share) for state in states],
        textposition="outside",
        cliponaxis=False,
        hovertext=[
            f"{state.queries:,} queries<br>{'<br>'.join(textwrap.wrap(MEANS[state.state], 48))}"
            for state in states
        ],
        hovertemplate="<b>%{y}</b><br>%{hovertext}<extra></extra>",
    )
    figure.update_layout(
        height=24 + 28 * len(states),
        margin={"l": 8, "r": 8, "t": 4, "b": 4},
        showlegend=False,
        bargap=0.3,
    )
    widest = max((state.share for state in states), default=1.0)
    figure.update_xaxes(visible=False, range=[0, 1.3 * widest], fixedrange=True)
    figure.update_yaxes(
        categoryorder="array", categoryarray=names[::-1], fixedrange=True, automargin=True
    )
    return figure
