"""Figures of the atlas besides its map: how an attribute is spread, and the hierarchy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import plotly.graph_objects as go

from hsa.atlas.atlas import Atlas
from hsa.atlas.attributes import Attribute
from hsa.field.splat_field import LEVELS
from hsa.figures.atlas_colours import row_colours
from hsa.figures.colours import BACKGROUND, CHOSEN
from hsa.figures.token_label import for_plotly

BINS = 36
SHOWN = "#1d8a94"
MOST_CATEGORIES = 30


def shown_number(value: float, attribute: Attribute) -> str:
    """A value with three digits, and its unit."""
    if not np.isfinite(value):
        return "–"
    if attribute.unit == "share":
        return f"{100 * value:.3g}%"
    return f"{int(value):,}" if float(value).is_integer() else f"{value:.3g}"


def histogram_figure(attribute: Attribute, stands_out: np.ndarray) -> go.Figure:
    """How many splats have which value; those that stand out coloured, all others grey behind.

    The axis of a quantity over orders of magnitude counts log₁₀ of it, and is labelled with
    its values; `value_of` turns a place on the axis back.
    """
    figure = go.Figure()
    if attribute.numeric:
        x, others, own, width = _bins(attribute, stands_out)
    else:
        names = attribute.categories()[:MOST_CATEGORIES]
        which = np.array(attribute.names, dtype=object)
        x, width = [for_plotly(name) for name in names], None
        own = np.array([int((stands_out & (which == name)).sum()) for name in names])
        others = np.array([int((~stands_out & (which == name)).sum()) for name in names])
    for counts, colour, name in ((own, SHOWN, "stand out"), (others, BACKGROUND, "do not")):
        figure.add_bar(
            x=x, y=counts, width=width, marker={"color": colour}, name=name,
            selected={"marker": {"opacity": 1}}, unselected={"marker": {"opacity": 1}},
            hovertemplate="%{y} splats<extra>" + name + "</extra>",
        )  # fmt: skip
    figure.update_layout(
        barmode="stack", bargap=0.06, height=210, showlegend=False, dragmode="select",
        selectdirection="h", margin={"l": 8, "r": 8, "t": 8, "b": 8},
    )  # fmt: skip
    figure.update_xaxes(title=for_plotly(attribute.title), automargin=True)
    if attribute.numeric and attribute.log:
        figure.update_xaxes(**_powers(np.asarray(x)))
    figure.update_yaxes(title="splats", automargin=True, fixedrange=True)
    return figure


def value_of(place: float, attribute: Attribute) -> float:
    """The value at a place on the histogram's axis."""
    return 10.0**place if attribute.log else place


def _places(attribute: Attribute) -> np.ndarray:
    """Places on the axis; NaN where there is none."""
    values = attribute.numbers.double().numpy()
    if not attribute.log:
        return values
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(values > 0, np.log10(values), np.nan)


def _bins(
    attribute: Attribute, stands_out: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    places = _places(attribute)
    known = np.isfinite(places)
    if not known.any():
        return np.zeros(0), np.zeros(0), np.zeros(0), 1.0
    edges = np.histogram_bin_edges(places[known], BINS)
    own, _ = np.histogram(places[known & stands_out], edges)
    others, _ = np.histogram(places[known & ~stands_out], edges)
    return (edges[:-1] + edges[1:]) / 2, others, own, float(edges[1] - edges[0])


def _powers(x: np.ndarray) -> dict:
    """Round values as labels of a logarithmic axis."""
    if not len(x):
        return {}
    low, high = float(x.min()), float(x.max())
    per = (1, 2, 5) if high - low < 3 else (1,)
    values = [
        m * 10.0**p for p in range(int(np.floor(low)) - 1, int(np.ceil(high)) + 1) for m in per
    ]
    shown = [value for value in values if low - 0.1 <= np.log10(value) <= high + 0.1]
    return {"tickvals": [np.log10(v) for v in shown], "ticktext": [f"{v:.3g}" for v in shown]}


def hierarchy_figure(
    atlas: Atlas,
    rows: slice,
    attribute: Attribute,
    words: Sequence[str],
    kind: Literal["icicle", "sunburst"],
    chosen: int | None,
) -> go.Figure:
    """The splats of one head as nested areas, by their prior share; ids are the atlas's rows.

    Args:
        rows: the atlas's rows of the head.
        words: what each splat of the atlas holds, "" for nothing.
        chosen: the row that gets an outline.
    """
    numbers = range(rows.start, rows.stop)
    share = atlas.attribute("share").numbers.nan_to_num(0.0).tolist()
    leaf = int(atlas.level[rows].max())
    colours = row_colours(attribute)
    labels = [f"{LEVELS[int(atlas.level[row])]} {int(atlas.splat_id[row])}" for row in numbers]
    layer, group = atlas.heads[int(atlas.head[rows.start])]
    trace = {
        "ids": ["head", *(str(row) for row in numbers)],
        "labels": [f"layer {layer}, head {group}", *labels],
        "parents": [
            "", *(str(int(p)) if p >= 0 else "head" for p in atlas.parent[rows].tolist()),
        ],
        "values": [0.0, *(share[row] if int(atlas.level[row]) == leaf else 0.0 for row in numbers)],
        "text": ["", *(for_plotly(words[row]) for row in numbers)],
        "textinfo": "label+text",
        "hovertemplate": "<b>%{label}</b><br>%{text}<extra></extra>",
        "branchvalues": "remainder",
        "marker": {
            "colors": [BACKGROUND, *(colours[row] for row in numbers)],
            "line": {
                "width": [0.5, *(4 if row == chosen else 0.5 for row in numbers)],
                "color": ["white", *(CHOSEN if row == chosen else "white" for row in numbers)],
            },
        },
    }  # fmt: skip
    figure = go.Figure()
    figure.add_trace(go.Icicle(**trace) if kind == "icicle" else go.Sunburst(**trace))
    figure.update_layout(height=620, margin={"l": 4, "r": 4, "t": 4, "b": 4})
    return figure
