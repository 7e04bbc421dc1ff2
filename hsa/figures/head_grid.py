"""All layers × heads as one small map."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float

from hsa.evaluation.head_grid import ANSWERED_BY, HeadGrid
from hsa.evaluation.scores import SCORES, Score
from hsa.figures.colours import CHOSEN, SEQUENTIAL, SEQUENTIAL_REVERSED

CELL_PIXELS = 18
HEADER_PIXELS = 90


def head_grid_figure(
    grid: HeadGrid, score: Score, chosen: tuple[int, int] | None = None
) -> go.Figure:
    """Layers down, heads across, coloured by one score; all scores on hover.

    Clicks on a heatmap are no selection in a browser, so an unseen marker lies on each cell, at
    x = head and y = layer.
    """
    values = score.of(grid).numpy()
    texts = [_hover(grid, layer, head) for layer, head in np.ndindex(*values.shape)]
    colours = {
        "colorscale": SEQUENTIAL_REVERSED if score.better == "low" else SEQUENTIAL,
        "zmin": _lowest(score, values),
        "zmax": _highest(score, values),
        "colorbar": {
            "title": {"text": _with_unit(score), "side": "right"},
            "tickformat": ".0%" if score.unit == "share" else None,
            "thickness": 12,
            "outlinewidth": 0,
        },
    }
    return draw_heads(values, colours, texts, chosen)


def draw_heads(
    values: Float[np.ndarray, "L H"],
    colours: dict[str, Any],
    texts: list[str],
    chosen: tuple[int, int] | None,
) -> go.Figure:
    """Layers down, heads across.

    Args:
        colours: scale, ends and bar of the heatmap.
        texts: what is said on hover, layer by layer.
    """
    down, across = values.shape
    layers, heads = np.indices(values.shape).reshape(2, -1)
    figure = go.Figure()
    figure.add_heatmap(z=values, xgap=1, ygap=1, hoverinfo="skip", **colours)
    invisible = {"opacity": 0}
    figure.add_scatter(
        x=heads,
        y=layers,
        mode="markers",
        marker={"size": CELL_PIXELS, "symbol": "square", "opacity": 0},
        selected={"marker": invisible},
        unselected={"marker": invisible},
        text=texts,
        hovertemplate="%{text}<extra></extra>",
        showlegend=False,
    )
    if chosen is not None:
        layer, head = chosen
        figure.add_shape(
            type="rect", x0=head - 0.5, x1=head + 0.5, y0=layer - 0.5, y1=layer + 0.5,
            line={"color": CHOSEN, "width": 3}, layer="above",
        )  # fmt: skip
    axis = {"showgrid": False, "zeroline": False, "fixedrange": True, "constrain": "domain"}
    figure.update_xaxes(
        title="query head", dtick=_tick(across), range=[-0.5, across - 0.5], side="top",
        **axis,
    )  # fmt: skip
    figure.update_yaxes(title="layer", dtick=_tick(down), range=[down - 0.5, -0.5], **axis)
    figure.update_layout(
        height=HEADER_PIXELS + CELL_PIXELS * max(down, 8),
        margin={"l": 8, "r": 8, "t": 40, "b": 8},
        clickmode="event+select",
        dragmode=False,
        plot_bgcolor="rgba(0,0,0,0)",
    )
    return figure


def _hover(grid: HeadGrid, layer: int, head: int) -> str:
    at = (int(layer), int(head))
    lines = [f"<b>layer {layer}, head {head}</b>"]
    for name in ("error", "opened_only_error", "reads", "entropy", "sink", "previous", "induction"):
        score = SCORES[name]
        lines.append(f"{score.title}: {shown(score, float(score.of(grid)[at]))}")
    mass = grid.mass[at]
    lines += [
        f"{name}: {float(share):.1%} of the mass"
        for name, share in zip(ANSWERED_BY, mass, strict=True)
    ]
    return "<br>".join(lines)


def shown(score: Score, value: float) -> str:
    """A score's value as text, with its unit."""
    if math.isnan(value):
        return "–"
    if score.unit == "share":
        return f"{value:.1%}"
    return f"{value:.2f} nats" if score.unit == "nats" else f"{value:.1f}"


def shown_difference(score: Score, value: float) -> str:
    """A difference of two values of a score as text, signed; of shares in points of a percent."""
    if math.isnan(value):
        return "–"
    if score.unit == "share":
        return f"{100 * value:+.1f} points"
    return f"{value:+.2f} nats" if score.unit == "nats" else f"{value:+.1f}"


def _with_unit(score: Score) -> str:
    return f"{score.title} (nats)" if score.unit == "nats" else score.title


def _lowest(score: Score, values: np.ndarray) -> float:
    """The bottom of the colours: zero, but the least value where all are near one."""
    return float(np.nanmin(values)) if score.better == "high" else 0.0


def _highest(score: Score, values: np.ndarray) -> float:
    if np.isnan(values).all():
        return 1.0
    return 1.0 if score.better == "high" else max(float(np.nanmax(values)), 1e-6)


def _tick(count: int) -> int:
    return 1 if count <= 16 else 2 if count <= 32 else 4
