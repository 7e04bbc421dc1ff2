"""What splats serve: a map of layers × heads, a matrix of splats × functions, a table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from hsa.field.splat_field import LEVELS
from hsa.figures.colours import CHOSEN, SEQUENTIAL
from hsa.specialization.findings import ALL, Finding, Findings

CELL_PIXELS = 18
ROW_PIXELS = 15
MOST_ROWS = 80
"""Splats in a matrix: more could not be read. Those that serve something most are shown."""


def served_counts(findings: Findings, function: str, layers: int, heads: int) -> np.ndarray:
    """How many splats of each query head serve a function: [layers, heads], NaN where unmeasured.

    A function of tokens belongs to a key/value head, so that its query heads have the same count.
    """
    counts = np.full((layers, heads), np.nan)
    counts[list(findings.layers)] = 0
    place = [one.name for one in ALL].index(function)
    own = findings.function == place
    wide = findings.group if ALL[place].kind == "token" else 1
    for layer, head in zip(findings.layer[own].tolist(), findings.head[own].tolist(), strict=True):
        counts[layer, head * wide : (head + 1) * wide] += 1
    return counts


def function_map_figure(
    findings: Findings, function: str, layers: int, heads: int, chosen: tuple[int, int]
) -> go.Figure:
    """Layers down, query heads across, coloured by how many splats serve a function.

    An unseen marker lies on each cell, at x = head and y = layer: clicks on a heatmap are no
    selection in a browser.
    """
    counts = served_counts(findings, function, layers, heads)
    at_layer, at_head = np.indices(counts.shape).reshape(2, -1)
    figure = go.Figure()
    figure.add_heatmap(
        z=counts, colorscale=SEQUENTIAL, zmin=0, xgap=1, ygap=1, hoverinfo="skip",
        colorbar={"title": {"text": "splats", "side": "right"}, "thickness": 12,
                  "outlinewidth": 0},
    )  # fmt: skip
    said = [
        f"<b>layer {layer}, head {head}</b><br>"
        + ("not measured" if np.isnan(count) else f"{count:.0f} splats")
        for layer, head, count in zip(at_layer, at_head, counts.ravel(), strict=True)
    ]
    _add_unseen(figure, at_head, at_layer, said)
    figure.add_shape(
        type="rect", x0=chosen[1] - 0.5, x1=chosen[1] + 0.5, y0=chosen[0] - 0.5,
        y1=chosen[0] + 0.5, line={"color": CHOSEN, "width": 3}, layer="above",
    )  # fmt: skip
    axis = {"showgrid": False, "zeroline": False, "fixedrange": True, "constrain": "domain"}
    figure.update_xaxes(title="query head", side="top", range=[-0.5, heads - 0.5], **axis)
    figure.update_yaxes(title="layer", range=[layers - 0.5, -0.5], **axis)
    _lay_out(figure, 90 + CELL_PIXELS * max(layers, 8))
    return figure


def matrix_findings(findings: Findings, layer: int, head: int) -> list[Finding]:
    """Findings of the splats that serve something most, at most `MOST_ROWS` of them."""
    best = sorted(findings.labels(layer, head).values(), key=lambda one: -one.bits)
    shown = [one.splat_id for one in best[:MOST_ROWS]]
    return [found for splat in shown for found in findings.of_splat(layer, head, splat)]


def function_matrix_figure(found: list[Finding], chosen: int | None) -> go.Figure:
    """Splats down, functions across, coloured by what the function tells of the splat.

    Rows and columns stand in the order of a hierarchical clustering (Ward), likes beside likes.
    """
    splats = list(dict.fromkeys(one.splat_id for one in found))
    names = list(dict.fromkeys(one.function.name for one in found))
    bits = np.zeros((len(splats), len(names)))
    said = np.full(bits.shape, "", dtype=object)
    level = {one.splat_id: LEVELS[one.level] for one in found}
    title = {one.function.name: one.function.title for one in found}
    for one in found:
        at = splats.index(one.splat_id), names.index(one.function.name)
        bits[at] = one.bits
        said[at] = f"<b>{level[one.splat_id]} {one.splat_id}</b> {one.label}"
    rows, columns = _clustered(bits), _clustered(bits.T)
    bits, said = bits[rows][:, columns], said[rows][:, columns]
    splats = [splats[row] for row in rows]
    figure = go.Figure()
    figure.add_heatmap(
        z=np.where(bits > 0, bits, np.nan), colorscale=SEQUENTIAL, zmin=0, xgap=1, ygap=1,
        hoverinfo="skip",
        colorbar={"title": {"text": "bits", "side": "right"}, "thickness": 12, "outlinewidth": 0},
    )  # fmt: skip
    row, column = np.nonzero(bits > 0)
    _add_unseen(figure, column, row, said[row, column].tolist(), [splats[at] for at in row])
    if chosen in splats:
        at = splats.index(chosen)
        figure.add_shape(
            type="rect", x0=-0.5, x1=len(names) - 0.5, y0=at - 0.5, y1=at + 0.5,
            line={"color": CHOSEN, "width": 2}, layer="above",
        )  # fmt: skip
    axis = {"showgrid": False, "zeroline": False, "fixedrange": True}
    figure.update_xaxes(
        tickvals=list(range(len(names))), ticktext=[title[names[at]] for at in columns],
        tickangle=-60, side="top", range=[-0.5, len(names) - 0.5], **axis,
    )  # fmt: skip
    figure.update_yaxes(
        tickvals=list(range(len(splats))), ticktext=[f"{level[s][0]} {s}" for s in splats],
        range=[len(splats) - 0.5, -0.5], tickfont={"size": 9}, **axis,
    )  # fmt: skip
    _lay_out(figure, 260 + ROW_PIXELS * len(splats))
    return figure


def _clustered(values: np.ndarray) -> list[int]:
    from scipy.cluster.hierarchy import leaves_list, linkage

    if len(values) < 3:
        return list(range(len(values)))
    return leaves_list(linkage(values, "ward", optimal_ordering=True)).tolist()


def findings_table(found: list[Finding]) -> pd.DataFrame:
    """One row a finding, as a visitor reads it."""
    return pd.DataFrame(
        {
            "splat": [one.splat_id for one in found],
            "level": [LEVELS[one.level] for one in found],
            "serves": [
                f"{'holds' if one.function.kind == 'token' else 'carries'} {one.function.title}"
                for one in found
            ],
            "share": [one.share for one in found],
            "like keys": [one.expected for one in found],
            "odds ×": np.exp([one.odds for one in found]),
            "from": np.exp([one.low for one in found]),
            "to": np.exp([one.high for one in found]),
            "bits": [one.bits for one in found],
            "q": [one.q for one in found],
            "p confirming": [one.p for one in found],
            "keys": [one.support for one in found],
        }
    )


def _add_unseen(
    figure: go.Figure, x: np.ndarray, y: np.ndarray, said: list[str], data: list[int] | None = None
) -> None:
    invisible = {"opacity": 0}
    figure.add_scatter(
        x=x, y=y, mode="markers", text=said, customdata=data,
        marker={"size": CELL_PIXELS, "symbol": "square", "opacity": 0},
        selected={"marker": invisible}, unselected={"marker": invisible},
        hovertemplate="%{text}<extra></extra>", showlegend=False,
    )  # fmt: skip


def _lay_out(figure: go.Figure, height: int) -> None:
    figure.update_layout(
        height=height, margin={"l": 8, "r": 8, "t": 40, "b": 8}, clickmode="event+select",
        dragmode=False, plot_bgcolor="rgba(0,0,0,0)",
    )  # fmt: skip
