"""Where a splat lives in a text, and over which distances it is read."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import plotly.graph_objects as go
from jaxtyping import Int
from torch import Tensor

from hsa.figures.colours import BACKGROUND, HSA_COLOUR, STANDARD_COLOUR
from hsa.specialization.profiles import Profile

TITLES = {
    "position": "position of its keys, tokens",
    "distance": "distance from query to key, tokens",
}


def profile_figure(profile: Profile, over: Literal["position", "distance"]) -> go.Figure:
    """Shares of the splat's mass over the bins, beside those of the whole head's."""
    names = bin_names(profile.edges)
    unit = "keys" if over == "position" else "pairs"
    figure = go.Figure()
    tallest = 0.0
    for name, mass, colour in (
        ("standard", profile.standard, STANDARD_COLOUR),
        ("HSA", profile.hsa, HSA_COLOUR),
    ):
        total = float(mass.sum())
        shares = (mass / total).tolist() if total else [0.0] * len(names)
        tallest = max(tallest, *shares)
        figure.add_bar(
            x=names,
            y=shares,
            name=f"this splat, {name}",
            marker={"color": colour},
            customdata=list(zip(profile.keys.tolist(), mass.tolist(), strict=True)),
            hovertemplate=f"%{{x}}: %{{y:.2%}} of its mass under {name}<br>"
            f"%{{customdata[0]:,}} {unit}, %{{customdata[1]:.3%}} of the head<extra></extra>",
        )
    of_head = (profile.head / profile.head.sum().clamp_min(1e-30)).tolist()
    figure.add_scatter(
        x=names,
        y=of_head,
        mode="lines+markers",
        name="all keys of the head, standard",
        line={"color": BACKGROUND, "width": 2, "dash": "dot"},
        marker={"size": 5},
        hovertemplate="%{x}: %{y:.2%} of the head's attention<extra></extra>",
    )
    figure.update_xaxes(
        title=TITLES[over], type="category", categoryorder="array", categoryarray=names,
        fixedrange=True, nticks=12,
    )  # fmt: skip
    # First tokens draw so much that the splat's own bars would lie flat beside them.
    top = 1.25 * tallest or 1.0
    for name, share in zip(names, of_head, strict=True):
        if share > top:
            figure.add_annotation(
                x=name, y=top, text=f"↑ head {share:.0%}", showarrow=False, yanchor="top",
                xanchor="left", font={"size": 11},
            )  # fmt: skip
    figure.update_yaxes(
        title="share of mass", tickformat=".2~p", fixedrange=True, range=[0, top]
    )  # fmt: skip
    figure.update_layout(
        height=260,
        bargap=0.15,
        bargroupgap=0.0,
        margin={"l": 8, "r": 8, "t": 40, "b": 8},
        legend={"orientation": "h", "y": 1.04, "yanchor": "bottom", "x": 0.0},
    )
    return figure


def bin_names(edges: Int[Tensor, " B+1"]) -> list[str]:
    """What each bin covers: one number, or first to last."""
    return [
        str(first) if end == first + 1 else f"{first}-{end - 1}"
        for first, end in pairwise(edges.tolist())
    ]
