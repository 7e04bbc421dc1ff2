"""A head with levels switched off: what it loses, in a sentence, a table and stacked bars."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from hsa.evaluation.head_grid import ANSWERED_BY
from hsa.evaluation.without_levels import LevelsCompared, LevelVariant
from hsa.figures.bars import percent
from hsa.figures.colours import ANSWER_COLOURS

SAME_READS = 0.05
"""Mean reads that differ by no more than this share are called the same."""

LEAST_WRITTEN = 0.06
"""Shares below this are not written into their piece of a bar, where they would not fit."""


def levels_sentence(found: LevelsCompared) -> str:
    """What this head loses without its Sections."""
    usual, without = found.variants[0], found.named("without Sections")
    if not sum(usual.mass[2:]):
        return (
            "No query leaves a splat closed at these reads, so there is no level to miss: every "
            "row is standard attention."
        )
    errs = f"Without Sections this head errs by {without.error:.2%} in place of {usual.error:.2%}"
    return f"{errs} {_reads(usual, without)}."


def levels_table(found: LevelsCompared) -> pd.DataFrame:
    """A row for each variant; `raised_rows` are queries that read more than they should."""
    return pd.DataFrame(
        {
            "levels": [variant.name for variant in found.variants],
            "output_error": [variant.error for variant in found.variants],
            "opened_only_error": [variant.opened_only_error for variant in found.variants],
            "mean_reads": [variant.reads for variant in found.variants],
            "raised_rows": [variant.raised_rows for variant in found.variants],
        }
        | {
            name: [variant.mass[place] for variant in found.variants]
            for place, name in enumerate(ANSWERED_BY)
        }
    )


def levels_figure(found: LevelsCompared) -> go.Figure:
    """The head's mass by what answers for it, a bar for each variant."""
    figure = go.Figure()
    names = [variant.name for variant in found.variants]
    for place, (answered, colour) in enumerate(zip(ANSWERED_BY, ANSWER_COLOURS, strict=True)):
        mass = [variant.mass[place] for variant in found.variants]
        figure.add_bar(
            x=mass,
            y=names,
            orientation="h",
            name=answered,
            marker={"color": colour},
            text=[percent(share) if share >= LEAST_WRITTEN else "" for share in mass],
            textposition="inside",
            insidetextanchor="middle",
            textangle=0,
            customdata=[[v.error, v.reads] for v in found.variants],
            hovertemplate="%{y}: " + answered + " %{x:.2%}<br>output error %{customdata[0]:.2%} "
            "at %{customdata[1]:.1f} reads<extra></extra>",
        )
    figure.update_layout(
        barmode="stack",
        bargap=0.3,
        height=280,
        margin={"l": 8, "r": 16, "t": 8, "b": 8},
        legend={"orientation": "h", "y": -0.32, "yanchor": "top", "traceorder": "normal"},
    )
    figure.update_xaxes(
        title="share of this head's attention, mean over queries",
        tickformat=".0%", range=[0, 1], fixedrange=True,
    )  # fmt: skip
    figure.update_yaxes(autorange="reversed", fixedrange=True, automargin=True)
    return figure


def _reads(usual: LevelVariant, without: LevelVariant) -> str:
    if abs(without.reads - usual.reads) <= SAME_READS * usual.reads:
        return f"at the same reads ({without.reads:.1f} and {usual.reads:.1f} a query)"
    return f"at {without.reads:.1f} reads a query in place of {usual.reads:.1f}"
