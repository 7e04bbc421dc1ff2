"""The weights of one adapted head before and after, beside standard attention."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import engine, kept, one_head
from pages.ui.heatmap import Panel, encode, linked_heatmaps

if TYPE_CHECKING:
    from hsa.tokens import Tokens
    from pages.ui.adapt_run import Run
    from pages.ui.waiting import Progress

SHOWN = {"weights": "Weights", "changes": "Differences"}


def maps(run: Run, tokens: Tokens) -> None:
    """Standard | HSA before | HSA after of a query head, or what they differ by."""
    from pages.ui.waiting import waiting

    size = run.loaded.query_heads // run.loaded.key_value_heads
    heads = [(layer, group * size + n) for layer, group in run.heads for n in range(size)]
    name = "adapt-map-head"
    if kept.value(name, heads[0]) not in heads:
        kept.keep(name, heads[0])
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox(
            "Maps of", heads, width=260,
            format_func=lambda head: f"layer {head[0]}, query head {head[1]}",
            **kept.widget(name, heads[0]),
        )  # fmt: skip
        st.segmented_control(
            "Shown", list(SHOWN), format_func=lambda shown: SHOWN[shown], required=True,
            label_visibility="collapsed", **kept.widget("adapt-map-shown", "weights"),
        )  # fmt: skip
    layer, head = kept.value(name, heads[0])
    with waiting() as progress:
        blob = _blob(run, tokens, layer, head, kept.value("adapt-map-shown", "weights"), progress)
    linked_heatmaps((), list(tokens.strings), list(tokens.strings), key="adapt-maps", height=380,
                    blob=blob)  # fmt: skip


def _blob(run: Run, tokens: Tokens, layer: int, head: int, which: str, progress: Progress) -> bytes:
    from hsa.attention.spending import sensible_reads, spend
    from hsa.attention.views import into_layer
    from hsa.evaluation.agreement import compare_head

    after = run.outcome()
    before = run.ready
    reads = sensible_reads(len(tokens))

    def shown(ready: engine.ReadyField) -> tuple:
        given = engine.activations(run.loaded, tokens, layer, progress)
        # The reads of both are those of the field before.
        spent = spend(before.field, reads, len(tokens), "per_head")
        key = (run.loaded.fingerprint, tokens.ids, reads, "per_head of", before.identity)
        result = one_head.head_result(given, ready, spent, layer, head, key)
        group, member = divmod(head, given.group)
        one = ready.field.layer(layer).group(group, slice(member, member + 1))
        framed = into_layer(given.head(head), one)
        compared = compare_head(result, framed)
        return compared.maps("weight", slice(0, len(tokens)))

    def make() -> bytes:
        standard, old, _ = (panel.numpy() for panel in shown(before))
        _, new, _ = (panel.numpy() for panel in shown(after))
        strings = list(tokens.strings)
        panels = (
            Panel("Standard", standard, "sequential", "weight"),
            Panel("HSA before", old, "sequential", "weight"),
            Panel("HSA after", new, "sequential", "weight"),
        )
        if which == "changes":
            panels = (
                Panel("Before − standard", old - standard, "diverging", "weight"),
                Panel("After − standard", new - standard, "diverging", "weight"),
                Panel("After − before", new - old, "diverging", "weight"),
            )
        return encode(panels, strings, strings, causal=run.loaded.causal)

    key = ("adapt-maps", run.loaded.fingerprint, before.identity, after.identity, tokens.ids,
           layer, head, which)  # fmt: skip
    return engine.kept(key, "Maps before and after", make)
