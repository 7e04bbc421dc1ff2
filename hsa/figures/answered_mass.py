"""What answers for one head's attention mass."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from hsa.evaluation.head_grid import ANSWERED_BY, HeadGrid
from hsa.figures.colours import ANSWER_COLOURS, BACKGROUND
from hsa.figures.file_bytes import csv_bytes


def answered_mass_figure(grid: HeadGrid, layer: int, head: int) -> go.Figure:
    """Shares of HSA's mass from near tokens to closed Documents, this head beside the mean."""
    figure = go.Figure()
    for label, mass, colours in (
        (f"layer {layer}, head {head}", grid.mass[layer, head], list(ANSWER_COLOURS)),
        ("mean of all heads", grid.mass.flatten(0, 1).mean(0), BACKGROUND),
    ):
        figure.add_bar(
            x=mass.tolist(),
            y=list(ANSWERED_BY),
            orientation="h",
            name=label,
            marker={"color": colours},
            text=[f"{share:.1%}" for share in mass.tolist()],
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}: %{x:.1%}<extra>" + label + "</extra>",
        )
    figure.update_layout(
        barmode="group",
        bargap=0.25,
        height=260,
        margin={"l": 8, "r": 40, "t": 8, "b": 8},
        showlegend=False,
    )
    figure.update_xaxes(visible=False, range=[0, 1.05], fixedrange=True)
    figure.update_yaxes(fixedrange=True, autorange="reversed")
    return figure


def answered_mass_csv(grid: HeadGrid) -> bytes:
    """A row a head, a column for each that answers; a row's shares add up to 1."""
    layer, head = np.indices((grid.layers, grid.heads)).reshape(2, -1)
    shares = grid.mass.flatten(0, 1).T.numpy()
    return csv_bytes(
        pd.DataFrame({"layer": layer, "head": head} | dict(zip(ANSWERED_BY, shares, strict=True)))
    )
