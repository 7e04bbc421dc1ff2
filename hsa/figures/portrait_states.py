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
    """One bar over all queries, ending at 1."""
    figure = go.Figure()
    for state in states:
        means = "<br>".join(textwrap.wrap(MEANS[state.state], 60))
        figure.add_bar(
            x=[state.share],
            y=["queries"],
            orientation="h",
            name=f"{state.state} {percent(state.share)}",
            marker={"color": COLOURS[state.state]},
            hovertemplate=f"{state.state}: {state.queries:,} queries<br>{means}<extra></extra>",
        )
    figure.update_layout(
        barmode="stack",
        # In a narrow column the legend has a line for each state.
        height=76 + 21 * len(states),
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        showlegend=True,
        legend={"orientation": "h", "y": -0.2, "yanchor": "top", "traceorder": "normal"},
    )
    figure.update_xaxes(visible=False, range=[0, 1], fixedrange=True)
    figure.update_yaxes(visible=False, fixedrange=True)
    return figure
