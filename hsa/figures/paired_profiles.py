"""Where a splat lives in this case and in the pinned reference, in one figure."""

from __future__ import annotations

from typing import Literal

import plotly.graph_objects as go
from jaxtyping import Float
from torch import Tensor

from hsa.evaluation.paired_portrait import PairedProfile
from hsa.figures.colours import HSA_COLOUR, STANDARD_COLOUR
from hsa.figures.portrait_profiles import TITLES, bin_names


def paired_profile_figure(
    profile: PairedProfile, over: Literal["position", "distance"]
) -> go.Figure:
    """Shares of the splat's mass in each case: bars for this case, dashed lines the reference."""
    names = bin_names(profile.edges)
    figure = go.Figure()
    for name, case, reference, colour in (
        ("standard", profile.case_standard, profile.reference_standard, STANDARD_COLOUR),
        ("HSA", profile.case_hsa, profile.reference_hsa, HSA_COLOUR),
    ):
        hover = "%{x}: %{y:.2%} of its mass<br>%{customdata:.3%} of the head"
        figure.add_bar(
            x=names, y=_shares(case), customdata=case.tolist(), name=f"this case, {name}",
            marker={"color": colour}, hovertemplate=f"{hover}<extra>this case, {name}</extra>",
        )  # fmt: skip
        if not float(reference.sum()):
            continue
        figure.add_scatter(
            x=names, y=_shares(reference), customdata=reference.tolist(),
            name=f"reference, {name}", mode="lines+markers",
            line={"color": colour, "width": 2, "dash": "dash"},
            marker={"size": 7, "symbol": "diamond-open", "line": {"width": 2}},
            hovertemplate=f"{hover}<extra>reference, {name}</extra>",
        )  # fmt: skip
    figure.update_xaxes(
        title=TITLES[over], type="category", categoryorder="array", categoryarray=names,
        fixedrange=True, nticks=12,
    )  # fmt: skip
    figure.update_yaxes(
        title="share of mass", tickformat=".2~p", fixedrange=True, rangemode="tozero"
    )
    figure.update_layout(
        height=300,
        bargap=0.15,
        bargroupgap=0.0,
        margin={"l": 8, "r": 8, "t": 48, "b": 8},
        legend={"orientation": "h", "y": 1.04, "yanchor": "bottom", "x": 0.0},
    )
    return figure


def _shares(mass: Float[Tensor, " B"]) -> list[float]:
    total = float(mass.sum())
    return (mass / total).tolist() if total else [0.0] * len(mass)
