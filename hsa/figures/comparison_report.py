"""A comparison of one head, and of one cell in it, as one HTML file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from hsa.attention.result import HSAResult
from hsa.attention.views import FramedLayer
from hsa.evaluation.agreement import HeadComparison, Measure
from hsa.explanation.checks import BLOCKED_LIMIT, LIMIT
from hsa.explanation.contributors import RowExplanation, explain_row
from hsa.explanation.pair import PairExplanation, explain_pair
from hsa.figures.comparison_agreement import agreement_figure, agreement_table
from hsa.figures.comparison_maps import MOST_TOKENS, maps_figure
from hsa.figures.contributors import contributor_table, contributors_figure, row_mass_figure
from hsa.figures.report import Section, figure, paragraph, report_html, table, verbatim
from hsa.figures.row import row_table, standard_row_figure
from hsa.figures.token_label import token_label

MOST_ROWS = 600
"""Rows of a table; the CSV files have all."""


@dataclass(frozen=True)
class ComparisonReport:
    """What the report is of.

    Attributes:
        result, framed: hold the head alone, as number 0.
        settings: what was chosen, by name, address included.
        versions: of the programs that made it.
        cell: query and key to take apart, if any.
        blocked: whether blocks of queries opened together.
    """

    title: str
    prompt: str
    strings: Sequence[str]
    result: HSAResult
    framed: FramedLayer
    compared: HeadComparison
    settings: tuple[tuple[str, str], ...]
    versions: tuple[tuple[str, str], ...]
    cell: tuple[int, int] | None
    measure: Measure
    scale: str
    hide_first_key: bool
    blocked: bool


def comparison_html(given: ComparisonReport) -> bytes:
    """The file, which needs no network."""
    sections = [_settings(given), _maps(given), _agreement(given)]
    if given.cell is not None:
        query, key = given.cell
        where = (given.result, given.framed, given.strings, 0, query)
        pair, row = explain_pair(*where, key), explain_row(*where)
        sections += [
            _product(pair),
            _checks(pair, row, given.blocked),
            _row(row, row_table(*where), given.measure, key),
        ]
    sections.append(Section("Made with", (table(("program", "version"), given.versions),)))
    return report_html(f"{given.title}: standard attention and HSA", sections)


def _settings(given: ComparisonReport) -> Section:
    return Section(
        "The text and what was chosen",
        (verbatim(given.prompt), table(("setting", "value"), given.settings)),
    )


def _maps(given: ComparisonReport) -> Section:
    heading = "Standard attention, HSA, and their signed difference"
    if len(given.strings) > MOST_TOKENS:
        said = f"Maps are drawn for up to {MOST_TOKENS} tokens; this text has {len(given.strings)}."
        return Section(heading, (paragraph(said, note=True),))
    drawn = maps_figure(
        given.compared, given.strings, given.measure, given.title, gamma=given.scale != "linear",
        hide_first_key=given.hide_first_key,
    )  # fmt: skip
    return Section(heading, (figure(drawn),))


def _agreement(given: ComparisonReport) -> Section:
    compared = given.compared
    reads, near = (float(n.float().mean()) for n in (compared.reads, compared.near_keys))
    said = (
        f"Output error of HSA {compared.error:.4%}; with the closed splats dropped "
        f"{compared.opened_only_error:.4%}. Reads per query {reads:.1f}, near keys {near:.1f}, "
        f"keys that standard attention reads {compared.keys_seen:.1f}."
    )
    query = None if given.cell is None else given.cell[0]
    drawn = agreement_figure(compared, given.strings, query)
    return Section(
        "Agreement, row by row",
        (paragraph(said), _frame(agreement_table(compared)), figure(_roomy(drawn))),
    )


def _product(pair: PairExplanation) -> Section:
    looks, seen = token_label(pair.query_token), token_label(pair.key_token)
    rows: list[tuple[object, ...]] = [
        (letter, splat.level, splat.splat_id, splat.share, splat.state)
        for letter, splat in zip("DSP", pair.path, strict=True)
    ]
    tilted = f"{pair.reading}, tilted × {pair.tilt_factor:.4g}" if pair.tilted else pair.reading
    rows.append(("t", "Token", pair.key, pair.token_share, tilted))
    return Section(
        f"Why query {pair.query} “{looks}” gives {pair.weight:.4%} to key {pair.key} “{seen}”",
        (
            table(("", "level", "id or position", "share", "state"), rows),
            paragraph(
                f"D · S · P · t = {pair.product:.9g}; the engine's weight is {pair.weight:.9g}; "
                f"‖A v‖ = {pair.contribution:.6g}."
            ),
            paragraph(
                "Documents, Sections and Phrases are levels of the field, learned from other "
                "texts; they are no parts of this text. Attention is not by itself an explanation "
                "of what the model does.",
                note=True,
            ),
        ),
    )


def _checks(pair: PairExplanation, row: RowExplanation, blocked: bool) -> Section:
    apart = pair.difference / max(abs(pair.weight), 1e-300)
    found = (
        ("D · S · P · t against the weight, relative", apart, LIMIT),
        ("Σ A over the row against 1", abs(row.row_sum - 1), LIMIT),
        ("Σ A v against the output, relative", row.output_error,
         BLOCKED_LIMIT if blocked else LIMIT),
    )  # fmt: skip
    rows = [
        (what, value, limit, "passed" if value <= limit else "FAILED")
        for what, value, limit in found
    ]
    return Section("Checks", (table(("check", "difference", "limit", ""), rows),))


def _row(row: RowExplanation, keys: pd.DataFrame, measure: Measure, key: int) -> Section:
    said = (
        f"{len(row.members):,} members, which sum to {row.total:.6f}; {row.near_keys} near tokens "
        f"hold {row.near_weight:.4%}; {row.reads} splats or far tokens were read; negative mass "
        f"{row.negative_mass:.4%}."
    )
    return Section(
        f"What answers query {row.query} “{token_label(row.query_token)}”",
        (
            paragraph(said),
            figure(_roomy(row_mass_figure(row), 150)),
            paragraph("HSA: the first members of its cut"),
            figure(_roomy(contributors_figure(row, measure, bars=24))),
            _frame(contributor_table(row).drop(columns="specialisation")),
            paragraph("Standard attention: its strongest keys, coloured by how HSA read them"),
            figure(_roomy(standard_row_figure(keys, measure, key, bars=24))),
            _frame(keys.sort_values("standard", ascending=False, kind="stable")),
        ),
    )


def _frame(found: pd.DataFrame) -> str:
    shown = found.head(MOST_ROWS)
    rows: list[list[Any]] = [
        ["" if value is pd.NA else getattr(value, "item", lambda v=value: v)() for value in entry]
        for entry in shown.itertuples(index=False)
    ]
    note = ""
    if len(found) > MOST_ROWS:
        note = paragraph(f"The first {MOST_ROWS} of {len(found):,} rows.", note=True)
    return note + table([str(column) for column in shown], rows)


def _roomy(drawn: go.Figure, height: int | None = None) -> go.Figure:
    """With room for axes, which a page's theme gives otherwise."""
    known = drawn.to_dict()["layout"].get("height")
    drawn.update_layout(width=1000, height=height or (known or 400) + 60,
                        margin={"l": 160, "r": 30, "t": 40, "b": 60})  # fmt: skip
    return drawn
