"""All layers × heads coloured by the difference of a score from the pinned reference."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from hsa.evaluation.grid_difference import GridDifference
from hsa.figures.head_grid import draw_heads, shown, shown_difference

DIVERGING = "RdBu_r"


def grid_difference_figure(
    found: GridDifference, chosen: tuple[int, int] | None = None
) -> go.Figure:
    """Red where the case's score is higher, blue where the reference's is; white where equal."""
    values = found.difference.numpy()
    limit = found.largest or 1.0
    score = found.score
    texts = [
        f"<b>layer {layer}, head {head}</b><br>{score.title}"
        f"<br>this case: {shown(score, float(found.case[layer, head]))}"
        f"<br>reference: {shown(score, float(found.reference[layer, head]))}"
        f"<br>difference: {shown_difference(score, float(values[layer, head]))}"
        for layer, head in np.ndindex(*values.shape)
    ]
    colours = {
        "colorscale": DIVERGING,
        "zmin": -limit,
        "zmax": limit,
        "colorbar": {
            "title": {"text": "this case − reference", "side": "right"},
            "tickformat": "+.2~p" if score.unit == "share" else "+.2~f",
            "thickness": 12,
            "outlinewidth": 0,
        },
    }
    return draw_heads(values, colours, texts, chosen)
