"""The row of a query by words, noun chunks or sentences."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import streamlit as st

from hsa.errors import HSAError
from pages.ui import choices, engine
from pages.ui.compare_view import HeadView
from pages.ui.plain import plain
from pages.ui.terms import means

if TYPE_CHECKING:
    from torch import Tensor

GROUPS: dict[choices.Group, str] = {
    "token": "Token",
    "word": "Word",
    "chunk": "Chunk",
    "sentence": "Sentence",
}
GATHERED = {
    "token": "Each token for itself, as the model reads it.",
    "word": "Words as the tokenizer parts them.",
    "chunk": "Noun chunks as the parser finds them; tokens outside of them stand alone.",
    "sentence": "Sentences by their closing marks.",
}
MISSING = "compare-groups-missing"
"""Session key: the text, and what was refused for it."""

SVG = {"displaylogo": False, "toImageButtonOptions": {"format": "svg"}}


def groups(view: HeadView, query: int, key: int) -> None:
    """The choice, and both attentions summed over what was chosen."""
    st.markdown("**The same row by words, chunks or sentences**", help=means("Token groups"))
    digest = hashlib.sha256(choices.prompt_text().encode("utf-8", "surrogatepass")).hexdigest()
    missing = _missing(digest)
    try:
        group = _group(view, digest)
    except HSAError as refusal:
        missing[choices.GROUP.value] = refusal
        choices.GROUP.choose(choices.GROUP.default)
        group = _group(view, digest)
    st.segmented_control(
        "Gather tokens by",
        [kind for kind in GROUPS if kind not in missing],
        format_func=lambda kind: GROUPS[kind], required=True,
        **choices.GROUP.widget(),
    )  # fmt: skip
    for kind, refusal in missing.items():
        st.warning(plain(f"{GROUPS[kind]} is left out. {refusal}"))
    _shown(view, query, group, int(group[key]))


def _missing(digest: str) -> dict[choices.Group, HSAError]:
    """What cannot be gathered in this text, and why; another text is asked anew."""
    if st.session_state.get(MISSING, ("", {}))[0] != digest:
        st.session_state[MISSING] = (digest, {})
    return st.session_state[MISSING][1]


def _group(view: HeadView, digest: str) -> Tensor:
    from hsa.specialization.token_groups import token_groups

    text, kind, tokens = choices.prompt_text(), choices.GROUP.value, view.asked.tokens
    return engine.kept(
        ("groups", view.asked.loaded.fingerprint, tokens.ids, digest, kind),
        "Gathering tokens",
        lambda: token_groups(text, tokens, kind),
    )


def _shown(view: HeadView, query: int, group: Tensor, chosen: int) -> None:
    from hsa.explanation.groups import explain_groups
    from hsa.figures.groups import groups_figure, groups_table

    measure = choices.MEASURE.value
    row = explain_groups(view.result, view.framed, 0, query, group)
    table = groups_table(row, group, view.strings, measure)
    own = table[table["group"] == chosen].iloc[0]
    st.caption(
        plain(
            f"{GATHERED[choices.GROUP.value]} {len(table):,} groups hold keys of this query and "
            f"sum to: standard {table['standard'].sum():.3%}, HSA {table['hsa'].sum():.3%}. The "
            f"chosen key's group, outlined if it is drawn, has {own.standard:.3%} and "
            f"{own.hsa:.3%} in {own.tokens:,} {'token' if own.tokens == 1 else 'tokens'}."
        )
    )
    st.plotly_chart(groups_figure(table, measure, chosen), key="compare-groups", config=SVG)
    with st.expander(f"All of them as a table ({len(table):,})"):
        column = st.column_config.NumberColumn
        st.dataframe(
            table.drop(columns="group"),
            hide_index=True,
            height=300,
            column_config={
                "first": column("first token", help="Position of its first token."),
                "standard": column("standard", format="%.6f"),
                "hsa": column("HSA", format="%.6f"),
                "difference": column("HSA − standard", format="%.6f"),
                "standard_norm": column("standard ‖Σ A v‖", format="%.4g"),
                "hsa_norm": column("HSA ‖Σ A v‖", format="%.4g"),
            },
        )
