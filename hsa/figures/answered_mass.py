"""What answers for one head's attention mass, as one bar."""

from __future__ import annotations

import plotly.graph_objects as go

from hsa.evaluation.head_grid import ANSWERED_BY, HeadGrid
from hsa.figures.colours import ANSWER_COLOURS


def answered_mass_figure(grid: HeadGrid, layer: int, head: int) -> go.Figure:
    """Shares of HSA's mass from near tokens to closed Documents, this head over the mean head."""
    rows = [
        ("mean of all heads", grid.mass.flatten(0, 1).mean(0)),
        (f"layer {layer}, head {head}", grid.mass[layer, head]),
    ]
    figure = go.Figure()
    for place, (name, colour) in enumerate(zip(ANSWERED_BY, ANSWER_COLOURS, strict=True)):
        figure.add_bar(
            x=[float(mass[place]) for _, mass in rows],
            y=[label for label, _ in rows],
            orientation="h",
            name=name,
            marker={"color": colour},
            hovertemplate=f"{name}: %{{x:.1%}}<extra>%{{y}}</extra>",
        )
    figure.update_layout(
        barmode="stack",
        height=190,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        legend={"orientation": "h", "y": -0.3, "traceorder": "normal"},
    )
    figure.update_xaxes(
        tickformat=".0%", range=[0, 1], title="share of attention mass", fixedrange=True
    )
    figure.update_yaxes(fixedrange=True)
    return figure
