"""β of every layer, now and over the turns of a conversation."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from hsa.figures.colours import CHOSEN, HSA_COLOUR, STANDARD_COLOUR
from hsa.inference.transition import Observation

BETA_SCALE = [[0.0, STANDARD_COLOUR], [0.5, "#e9dfc7"], [1.0, HSA_COLOUR]]
"""From standard attention to HSA."""


def beta_figure(beta: Sequence[float]) -> go.Figure:
    """One bar a layer: how much of its output is HSA's."""
    figure = go.Figure()
    figure.add_bar(
        x=list(range(len(beta))),
        y=list(beta),
        marker={"color": HSA_COLOUR},
        hovertemplate="layer %{x}: β %{y:.2f}<extra></extra>",
    )
    figure.update_xaxes(title="layer", fixedrange=True)
    figure.update_yaxes(title="β", range=[0, 1.02], fixedrange=True)
    figure.update_layout(
        height=190, margin={"l": 8, "r": 8, "t": 8, "b": 8}, bargap=0.2, showlegend=False
    )
    return figure


def transition_figure(history: Sequence[Observation], bound: float) -> go.Figure:
    """KL of every turn against the bound, and β of every layer after it."""
    turns = list(range(1, len(history) + 1))
    figure = make_subplots(
        rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.08, row_heights=[0.35, 0.65]
    )
    within = [seen.kl_nats <= bound for seen in history]
    figure.add_scatter(
        x=turns,
        y=[seen.kl_nats for seen in history],
        mode="lines+markers",
        line={"color": HSA_COLOUR},
        marker={
            "size": 11,
            "color": [HSA_COLOUR if ok else CHOSEN for ok in within],
            "symbol": ["circle" if ok else "x" for ok in within],
        },
        hovertemplate="turn %{x}: mean KL %{y:.4f} nats at the β tried<extra></extra>",
        row=1,
        col=1,
    )
    figure.add_hline(
        y=bound,
        line={"color": CHOSEN, "dash": "dash", "width": 1.5},
        annotation_text=f"bound {bound:g}",
        annotation_position="top left",
        row=1,  # type: ignore[arg-type]
        col=1,  # type: ignore[arg-type]
    )
    figure.add_heatmap(
        x=turns,
        y=list(range(len(history[0].after))) if history else [],
        z=[list(row) for row in zip(*(seen.after.tolist() for seen in history), strict=True)],
        zmin=0,
        zmax=1,
        colorscale=BETA_SCALE,
        xgap=3,
        ygap=1,
        colorbar={"title": "β", "len": 0.62, "y": 0.3, "thickness": 12},
        hovertemplate="turn %{x}, layer %{y}: β %{z:.2f} after it<extra></extra>",
        row=2,
        col=1,
    )
    highest = max([bound, *(seen.kl_nats for seen in history)])
    figure.update_yaxes(title="mean KL, nats", range=[-0.08 * highest, 1.3 * highest], row=1, col=1)
    figure.update_yaxes(title="layer", row=2, col=1)
    figure.update_xaxes(dtick=1, range=[0.5, max(len(turns), 4) + 0.5])
    figure.update_xaxes(title="turn", row=2, col=1)
    figure.update_layout(height=460, margin={"l": 8, "r": 8, "t": 16, "b": 8}, showlegend=False)
    return figure
