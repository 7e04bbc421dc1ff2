"""Why one weight is what it is: the product of its shares, its checks, and its row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import choices, cost, served
from pages.ui.badges import badge
from pages.ui.compare_groups import groups
from pages.ui.compare_view import HeadView
from pages.ui.plain import plain
from pages.ui.take_away import CAMERA
from pages.ui.terms import means

if TYPE_CHECKING:
    import pandas as pd

    from hsa.evaluation.agreement import Measure
    from hsa.explanation.contributors import Contributor, RowExplanation
    from hsa.explanation.pair import PairExplanation

LEVELS_ARE = (
    "Documents, Sections and Phrases are levels of the field: coarse, middle and fine clusters "
    "of keys, learned from other texts. They are no parts of your text."
)
NOT_AN_EXPLANATION = (
    "Attention is not by itself an explanation of what the model does: this takes apart how a "
    "weight came about, not what the model makes of it."
)
SHORT = {"below a closed splat": "below closed"}
READ_AS = {
    "near": "read, near",
    "opened": "read, opened",
    "closed": "an even part",
}


def explanation(view: HeadView, query: int, key: int) -> None:
    """The cell's weight taken apart, and its row in both attentions."""
    from hsa.explanation.contributors import explain_row
    from hsa.explanation.pair import explain_pair
    from hsa.figures.row import row_table
    from hsa.figures.token_label import token_label

    given = (view.result, view.framed, view.strings, 0, query)
    labels = served.labels(view.asked.loaded, view.asked.ready, view.layer, view.head)
    with cost.current().step("Explaining a cell"):
        pair, row = explain_pair(*given, key, labels), explain_row(*given, labels)
        keys = row_table(*given)
    looks, seen = (plain(token_label(view.strings[at])) for at in (query, key))
    st.subheader(
        f"Why query {query} “{looks}” gives {100 * pair.weight:.3g}% to key {key} “{seen}”",
        anchor=False,
    )
    with st.container(horizontal=True, gap="medium", key="compare-badges"):
        badge("measured", "weights, reads, errors")
        badge("derived", "the four shares and their product")
        badge("approximate", "what closed splats answer")
    _product(pair)
    _served(pair)
    _beside(pair, keys[keys.position == key].iloc[0])
    _checks(pair, row, blocked=view.difference is not None)
    _row(view, row, keys, pair)
    groups(view, query, key)
    st.caption(f"{LEVELS_ARE} {NOT_AN_EXPLANATION}")


def _product(pair: PairExplanation) -> None:
    from hsa.explanation.pair import STATES

    of = (
        "D: the Document's share of the whole row's attention.",
        "S: the Section's share of its Document.",
        "P: the Phrase's share of its Section.",
    )
    with st.container(
        horizontal=True, vertical_alignment="center", gap="xsmall", key="compare-product"
    ):
        for place, splat in enumerate(pair.path):
            if place:
                _sign("×")
            _factor(
                f"{splat.level} {splat.splat_id}",
                splat.share,
                f"{'DSP'[place]} · {SHORT.get(splat.state, splat.state)}",
                means(
                    "Level",
                    first=f"{of[place]} This one is {splat.state}: {STATES[splat.state]}."
                    + (f" It {splat.specialisation}." if splat.specialisation else ""),
                ),
            )
        _sign("×")
        said = f"tilted × {pair.tilt_factor:.4g}" if pair.tilted else READ_AS[pair.reading]
        _factor(
            f"Token {pair.key}",
            pair.token_share,
            f"t · {said}",
            means(
                "Tilt",
                first="t: the token's share of its Phrase; under a closed splat times "
                "1 + θ·y·(x − x̄), so that it may exceed 1 or fall below 0.",
            ),
        )
        _sign("=")
        _factor("Weight", pair.product, "A = D · S · P · t", means("Weight"))


def _served(pair: PairExplanation) -> None:
    said = [
        f"{splat.level} {splat.splat_id} {splat.specialisation}"
        for splat in pair.path
        if splat.specialisation
    ]
    if said:
        st.caption(
            plain(f"On a reference corpus: {'; '.join(said)}."),
            help="Share of the splat's keys or of the attention that they receive, and how many "
            "times the share of like keys: same position, same frequency. Found in one half of "
            "the corpus, confirmed in the other.",
        )


def _factor(label: str, value: float, said: str, explained: str) -> None:
    with st.container(border=True, width=162, gap=None):
        st.markdown(plain(label), help=explained)
        st.markdown(f"#### {value:.4g}", anchors=False)
        st.caption(plain(said))


def _sign(sign: str) -> None:
    st.markdown(f"### {sign}", width="content", anchors=False)


def _beside(pair: PairExplanation, entry: pd.Series) -> None:
    st.markdown(
        f"HSA **{pair.weight:.4g}**, standard attention **{entry.standard:.4g}**, difference "
        f"**{entry.difference:+.3g}**. "
        + plain(
            f"As contribution to the output: ‖A v‖ is {entry.hsa_norm:.4g} in HSA and "
            f"{entry.standard_norm:.4g} in standard attention."
        )
    )


def _checks(pair: PairExplanation, row: RowExplanation, *, blocked: bool) -> None:
    from hsa.explanation.checks import BLOCKED_LIMIT, LIMIT

    output_limit = BLOCKED_LIMIT if blocked else LIMIT
    apart = pair.difference / max(abs(pair.weight), 1e-300)
    lines = [
        _check(
            apart <= LIMIT,
            f"D·S·P·t = {pair.product:.9g}, and the engine's sparse row says {pair.weight:.9g}: "
            f"apart by {apart:.1e} of it",
        ),
        _check(abs(row.row_sum - 1) <= LIMIT, f"Σ A over the row is 1 {row.row_sum - 1:+.1e}"),
        _check(
            row.output_error <= output_limit,
            f"Σ A·v, token by token, against the output that the engine gave: apart by "
            f"{row.output_error:.1e} of its length",
        ),
    ]
    st.markdown("  \n".join(lines))
    said = [f"Each check fails beyond {LIMIT:.0e}."]
    if blocked:
        said = [
            f"The first two checks fail beyond {LIMIT:.0e}, the third beyond {output_limit:.0e}: "
            "blocks work in float32."
        ]
    if row.whole:
        said.append(
            "This query read all its far keys and evaluated no splat: it is standard attention."
        )
    elif not any(member.kind == "splat" for member in row.members):
        said.append("This query left no splat closed.")
    elif blocked:
        said.append("Blocks leave out the tilt: a closed splat's tokens share its mass evenly.")
    else:
        said.append(
            f"Negative mass of this row: {abs(row.negative_mass):.2%}, from tilted shares below "
            "zero; shown, never clipped."
        )
    if row.tilt_switched_off:
        said.append("Its tilt is switched off: negative mass would have exceeded 2%.")
    if row.budget_raised:
        said.append("Its reads were raised to one for each Document.")
    st.caption(plain(" ".join(said)))


def _check(passed: bool, sentence: str) -> str:
    return f"{':green[✓ passed]' if passed else ':red[✗ **failed**]'} {plain(sentence)}"


def _row(view: HeadView, row: RowExplanation, keys: pd.DataFrame, pair: PairExplanation) -> None:
    from hsa.figures.contributors import (
        contributor_table,
        contributors_figure,
        ranked_members,
        row_mass_figure,
    )
    from hsa.figures.row import standard_row_figure

    measure = choices.MEASURE.value
    near_only = len(row.members) == row.near_keys
    st.markdown(f"**What answers query {row.query} in HSA**", help=means("Cut", "Mass"))
    st.caption(
        plain(
            f"The members of its cut, {len(row.members):,} in number, sum to {row.total:.6f}. "
            f"Near tokens ({row.near_keys}) hold {row.near_weight:.2%}; besides them HSA read "
            f"{row.reads} splats or far tokens."
        )
    )
    st.plotly_chart(row_mass_figure(row), key="compare-row-mass", config=CAMERA)
    near = near_only or st.toggle(
        "Rank near tokens too",
        key="rank-near",
        help=means(
            "Near tokens",
            first="Left out, the bars show what HSA chose to read, and which far keys standard "
            "attention looks at. Outlined: the chosen key and what answers for it.",
        ),
    )
    left, right = st.columns(2, gap="medium")
    with left:
        st.markdown("**HSA: ranked members of the cut**")
        st.caption(_sum_of_members(row, ranked_members(row, measure, near=near), measure))
        st.plotly_chart(
            contributors_figure(row, measure, near=near, chosen=answering(pair, keys)),
            key="compare-contributors",
            config=CAMERA,
        )
    with right:
        st.markdown("**Standard attention: its strongest keys**")
        ranked = keys if near else keys.query("read_as != 'near'")
        st.caption(_sum_of_keys(ranked, measure))
        st.plotly_chart(
            standard_row_figure(ranked, measure, pair.key), key="compare-standard", config=CAMERA
        )
    with st.expander(f"The whole cut as a table ({len(row.members):,})"):
        st.dataframe(
            contributor_table(row),
            hide_index=True,
            height=300,
            column_config={
                "weight": st.column_config.NumberColumn(format="%.6f"),
                "norm": st.column_config.NumberColumn("‖Σ A v‖", format="%.4g"),
                "negative_mass": st.column_config.NumberColumn(format="%.2g"),
            },
        )


def _sum_of_members(row: RowExplanation, ranked: list[Contributor], measure: Measure) -> str:
    from hsa.figures.contributors import BARS

    if measure == "contribution":
        return "In brackets: keys of a splat. Lengths of vectors do not add up to the output's."
    shown, rest = ranked[:BARS], ranked[BARS:]
    parts = [f"shown {sum(member.weight for member in shown):.2%}"]
    if rest:
        parts.append(f"{len(rest):,} others {sum(member.weight for member in rest):.2%}")
    if len(ranked) < len(row.members):
        parts.append(f"near {row.near_weight:.2%}")
    return f"In brackets: keys of a splat. Sum: {' + '.join(parts)} = {row.total:.4%}."


def _sum_of_keys(keys: pd.DataFrame, measure: Measure) -> str:
    from hsa.figures.row import BARS

    said = "Coloured by how HSA read each of them."
    if measure == "contribution":
        return said
    ranked = keys.standard.sort_values(ascending=False)
    return f"{said} Shown: {ranked[:BARS].sum():.2%} of the row."


def answering(pair: PairExplanation, keys: pd.DataFrame) -> tuple[str, int]:
    """Kind and identity of the member of the cut that answers for the pair's key."""
    if pair.reading != "closed":
        return pair.reading, pair.key
    entry = keys[keys.position == pair.key].iloc[0]
    return str(entry.read_as), int(entry.splat)
