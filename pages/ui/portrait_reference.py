"""What a splat serves, and what it holds in the reference texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import engine, served
from pages.ui.plain import plain
from pages.ui.portrait_view import SplatView
from pages.ui.waiting import Progress, waiting

if TYPE_CHECKING:
    from hsa.specialization.reference_keys import ReferencePassage

MOST = 30
ASKED = "portrait-reference-asked"


def serves(view: SplatView) -> None:
    """The functions claimed for the splat, with their evidence."""
    loaded, ready = view.asked.loaded, view.asked.ready
    found = served.known(loaded, ready, view.layer)
    if found is None or view.layer not in found.layers:
        st.caption(
            "What this splat serves has not been measured: *What splats serve* does that for a "
            "layer of any field."
        )
        return
    claimed = found.of_splat(view.layer, view.head, view.shown.splat_id)
    if not claimed:
        st.caption(
            plain(
                f"On {found.tokens:,} tokens of reference texts nothing was found that this splat "
                "serves more than like keys do, in both halves of the texts."
            )
        )
        return
    st.markdown(f"**It {plain(claimed[0].label)}**", help=plain(claimed[0].evidence))
    with st.expander("All that it is known to serve, with the evidence"):
        for one in claimed:
            st.markdown(plain(f"{one.label}: {one.evidence}"))


def in_reference(view: SplatView) -> None:
    """Its keys in the reference texts, looked up when asked for."""
    key = ("reference keys", view.asked.ready.identity, view.layer)
    if engine.kept_before(key) is None and not st.session_state.get(ASKED):
        offer = st.empty()
        with offer.container():
            st.caption(
                "The prompt shows few of its keys. The reference texts, two chapters of Moby-Dick "
                "and two State of the Union addresses, show more; reading them takes some seconds."
            )
            if not st.button("Look it up in the reference texts", key="portrait-reference"):
                return
        offer.empty()
        st.session_state[ASKED] = True
    with waiting() as progress:
        reference = _reference(view, key, progress)
    _show(view, reference)


def _reference(
    view: SplatView, key: tuple, progress: Progress
) -> tuple[ReferencePassage, ...]:  # fmt: skip
    def make() -> tuple[ReferencePassage, ...]:
        from hsa.specialization.passages import passages
        from hsa.specialization.reference_keys import reference_keys

        loaded = view.asked.loaded
        texts = served.reference_texts()
        found = passages(
            loaded, [text for _, text in texts], min(1024, loaded.max_tokens), served.TOKENS
        )
        field = view.asked.ready.field.layer(view.layer)
        return reference_keys(loaded, field, found, view.layer, progress)

    return engine.kept(key, "Reading the reference texts", make)


def _show(view: SplatView, reference: tuple[ReferencePassage, ...]) -> None:
    from hsa.figures.portrait_tables import excerpts_table
    from hsa.specialization.reference_keys import excerpts

    field = view.asked.ready.field.heads[view.layer]
    group = view.head // (view.asked.loaded.query_heads // len(field))
    row = field[group].splat_id.tolist().index(view.shown.splat_id)
    count, found = excerpts(reference, group, view.head, row, MOST)
    tokens = sum(len(passage.strings) for passage in reference)
    st.markdown("**What it holds in the reference texts**")
    if not count:
        st.caption(plain(f"None of their {tokens:,} keys lies in this splat."))
        return
    shown = f" Shown are the {MOST} that receive most." if count > MOST else ""
    st.caption(
        plain(f"{count:,} of {tokens:,} keys, the first four of every passage left out.{shown}")
    )
    names = [name for name, _ in served.reference_texts()]
    st.dataframe(
        excerpts_table(found, names), hide_index=True, height=300,
        column_config={
            "received": st.column_config.NumberColumn(
                format="percent",
                help="Share of all attention of this head in its passage of 1,024 tokens.",
            ),
            "given": st.column_config.NumberColumn(
                format="percent",
                help="Share of the token's own row, as a query, that goes to this splat's keys.",
            ),
        },
    )  # fmt: skip
