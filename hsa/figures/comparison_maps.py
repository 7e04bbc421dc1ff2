"""The three maps of a head as a Plotly figure, for saving."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from hsa.evaluation.agreement import HeadComparison, Measure
from hsa.figures.token_label import for_plotly, token_label

MOST_TOKENS = 512
LABELLED = 64
TITLES = ("Standard", "HSA", "HSA − standard")
UNITS = {"weight": "weight A", "contribution": "‖A v‖"}


def maps_figure(
    compared: HeadComparison,
    strings: Sequence[str],
    measure: Measure,
    title: str,
    *,
    gamma: bool = False,
    hide_first_key: bool = False,
) -> go.Figure:
    """Standard, HSA and their signed difference; keys that a query may not see are blank.

    Args:
        gamma: colours by the square root of the magnitude.
    """
    maps = [panel.numpy().astype(np.float32) for panel in compared.maps(measure)]
    hidden = np.zeros(maps[0].shape, dtype=bool)
    if compared.causal:
        hidden |= np.arange(maps[0].shape[1]) > compared.queries.numpy()[:, np.newaxis]
    hidden[:, 0] |= hide_first_key
    shown = [np.where(hidden, np.float32(np.nan), panel) for panel in maps]
    most = max(float(np.nanmax(panel, initial=1e-12)) for panel in shown[:2])
    apart = float(np.nanmax(np.abs(shown[2]), initial=1e-12))
    keys = [for_plotly(f"{at} {token_label(token)}") for at, token in enumerate(strings)]
    queries = [keys[at] for at in compared.queries.tolist()]
    figure = make_subplots(
        rows=1, cols=3, subplot_titles=TITLES, shared_yaxes=True, horizontal_spacing=0.06
    )
    for place, panel in enumerate(shown):
        limit = apart if place == 2 else most
        figure.add_heatmap(
            z=np.sign(panel) * np.sqrt(np.abs(panel)) if gamma else panel,
            customdata=panel,
            coloraxis=f"coloraxis{2 if place == 2 else 1}",
            hovertemplate="query %{y}<br>key %{x}<br>"
            + f"{UNITS[measure]} %{{customdata:.4g}}<extra>{TITLES[place]}</extra>",
            x=keys,
            y=queries,
            row=1,
            col=place + 1,
        )
        top = limit**0.5 if gamma else limit
        axis = {"cmin": -top if place == 2 else 0.0, "cmax": top}
        axis["colorscale"] = "RdBu_r" if place == 2 else "Viridis"
        axis["colorbar"] = _bar(limit, gamma, place == 2, UNITS[measure])
        figure.update_layout({f"coloraxis{2 if place == 2 else ''}": axis})
    labelled = len(keys) <= LABELLED
    figure.update_xaxes(title="key", showticklabels=labelled, tickangle=-90, type="category")
    figure.update_yaxes(showticklabels=labelled, autorange="reversed", type="category")
    figure.update_yaxes(title="query", col=1)
    notes = [*(["square-root colour scale"] if gamma else []),
             *(["first token hidden"] if hide_first_key else [])]  # fmt: skip
    heading = for_plotly(" · ".join([title, *notes]))
    figure.update_xaxes(showgrid=False)
    figure.update_yaxes(showgrid=False)
    figure.update_layout(title=heading, width=1500, height=560)
    return figure


def _bar(limit: float, gamma: bool, signed: bool, unit: str) -> dict[str, object]:
    """A colour bar that names values, not their square roots."""
    ticks = [limit * share for share in ((-1, -0.25, 0, 0.25, 1) if signed else (0, 0.25, 1))]
    places = [np.sign(tick) * abs(tick) ** 0.5 for tick in ticks] if gamma else ticks
    return {
        "title": unit,
        "tickvals": places,
        "ticktext": [f"{tick:.2g}" for tick in ticks],
        "x": 1.08 if signed else 1.0,
        "thickness": 12,
    }
