"""Agreement of one head row by row, HSA's beside the same cut without its splats."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from hsa.evaluation.agreement import TOP, HeadComparison
from hsa.figures.colours import CHOSEN
from hsa.figures.token_label import for_plotly, token_label

HSA_COLOUR, OPENED_COLOUR = "#d9772b", "#7b8794"
CURVES = {
    "total_variation": "total variation",
    "kl_nats": "KL, nats",
    "top_overlap": f"top-{TOP} overlap",
}
METHODS = ("HSA", "opened tokens only")


def agreement_figure(
    compared: HeadComparison, strings: Sequence[str], query: int | None = None
) -> go.Figure:
    """Three curves over the queries; a point's x is its position."""
    positions = compared.queries.numpy()
    figure = make_subplots(rows=3, cols=1, shared_xaxes=True, vertical_spacing=0.06)
    labels = [for_plotly(f"{at} {token_label(strings[int(at)])}") for at in positions]
    methods = zip(
        METHODS,
        (compared.agreement, compared.opened_only),
        (HSA_COLOUR, OPENED_COLOUR),
        strict=True,
    )
    for name, agreement, colour in methods:
        for row, measure in enumerate(CURVES, start=1):
            figure.add_scatter(
                x=positions,
                y=getattr(agreement, measure).numpy(),
                mode="lines+markers",
                line={"color": colour, "width": 1.6, "dash": None if name == "HSA" else "dot"},
                marker={"size": 7, "opacity": 0, "color": colour},
                selected={"marker": {"opacity": 0}},
                unselected={"marker": {"opacity": 0}},
                name=name if name == "HSA" else f"{name} (closed splats dropped)",
                legendgroup=name,
                showlegend=row == 1,
                text=labels,
                hovertemplate=f"query %{{text}}<br>{CURVES[measure]} %{{y:.3g}}"
                f"<extra>{name}</extra>",
                row=row,
                col=1,
            )
            figure.update_yaxes(title=CURVES[measure], rangemode="tozero", row=row, col=1)
            if compared.equal():
                figure.update_yaxes(range=[0, 1.05], row=row, col=1)
    if query is not None:
        figure.add_vline(x=query, line={"color": CHOSEN, "width": 2})
    figure.update_xaxes(title="query (position)", row=3, col=1)
    figure.update_layout(
        height=430,
        margin={"l": 8, "r": 8, "t": 34, "b": 8},
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0.0},
        clickmode="event+select",
    )
    return figure


def agreement_table(compared: HeadComparison) -> pd.DataFrame:
    """Means over the queries, and the head's output error; a row per method."""
    rows = []
    for name, agreement, error in (
        (METHODS[0], compared.agreement, compared.error),
        (METHODS[1], compared.opened_only, compared.opened_only_error),
    ):
        means = {measure: float(getattr(agreement, measure).mean()) for measure in CURVES}
        rows.append({"method": name, "output_error": error} | means)
    return pd.DataFrame(rows)
