"""The tokens that a position draws from after some layers, as bars and as a table."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from hsa.evaluation.rollout import Rollout
from hsa.figures.bars import percent
from hsa.figures.colours import CHOSEN, STANDARD_COLOUR
from hsa.figures.token_label import for_plotly, token_label

BARS = 10
BAR_PIXELS, FRAME_PIXELS = 25, 60


def flow_table(found: Rollout, strings: Sequence[str], query: int) -> pd.DataFrame:
    """Every token that anything is drawn from, with its share after each of the depths."""
    rows = found.flow[:, query]
    drawn = (rows > 0).any(0).nonzero().squeeze(1)
    table = pd.DataFrame(
        {"position": drawn.numpy(), "token": [strings[at] for at in drawn.tolist()]}
    )
    for depth, row in zip(found.depths, rows, strict=True):
        table[depth_name(depth)] = row[drawn].numpy()
    return table


def depth_name(depth: int) -> str:
    """What a column of the table is called."""
    return f"after {depth} {'layer' if depth == 1 else 'layers'}"


def flow_figure(
    table: pd.DataFrame, depth: int, largest: float, chosen: int | None = None, bars: int = BARS
) -> go.Figure:
    """The tokens with the largest shares after `depth` layers.

    Args:
        table: of `flow_table`, or some of its rows.
        largest: the longest bar of all figures that stand side by side.
        chosen: position whose bar gets an outline.
    """
    column = depth_name(depth)
    shown = table.sort_values(column, ascending=False, kind="stable").head(bars)
    shown = shown[shown[column] > 0]
    places = [str(place) for place in range(len(shown))]
    positions = shown["position"].tolist()
    names = [
        f"{at} {token_label(token)}"
        for at, token in zip(positions, shown["token"].tolist(), strict=True)
    ]
    shares = [float(share) for share in shown[column].tolist()]
    figure = go.Figure()
    figure.add_bar(
        x=shares,
        y=places,
        orientation="h",
        marker={
            "color": STANDARD_COLOUR,
            "line": {"color": CHOSEN, "width": [3 if at == chosen else 0 for at in positions]},
        },
        text=[percent(share) for share in shares],
        textposition="outside",
        cliponaxis=False,
        hovertext=[for_plotly(name) for name in names],
        hovertemplate="%{hovertext}<br>%{x:.4g}<extra></extra>",
    )
    figure.update_xaxes(
        title=f"attention flow, {column}",
        tickformat=".2~p", range=[0, 1.3 * largest or 1.0], nticks=4, fixedrange=True,
    )  # fmt: skip
    figure.update_yaxes(
        type="category", categoryorder="array", categoryarray=places, autorange="reversed",
        tickvals=places, ticktext=[for_plotly(name) for name in names],
        fixedrange=True, automargin=True,
    )  # fmt: skip
    figure.update_layout(
        height=FRAME_PIXELS + BAR_PIXELS * max(len(shown), 3),
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        showlegend=False,
        bargap=0.25,
    )
    return figure
