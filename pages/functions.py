"""What splats serve: functions found in a reference corpus, over all heads and in one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from hsa.errors import FieldError
from pages.ui import choices, chosen_splat, engine, served
from pages.ui.case import field
from pages.ui.frame import frame
from pages.ui.functions_downloads import downloads
from pages.ui.functions_head import one_head
from pages.ui.functions_model import whole_model
from pages.ui.plain import plain
from pages.ui.refusals import refusals, show_without
from pages.ui.waiting import waiting

if TYPE_CHECKING:
    from hsa.models.loaded import LoadedModel
    from hsa.specialization.findings import Findings

frame(
    "What splats serve",
    "Which functions do splats serve: which tokens do they hold, which pairs do they carry?",
    prompt_in="page",
    reads=False,
)


def main() -> None:
    """The map over heads, then the head chosen in it."""
    with refusals(), waiting() as progress:
        loaded = engine.model(choices.MODEL.value, progress)
    ready = field(loaded)
    layer = choices.within(choices.LAYER, loaded.layers)
    head = choices.within(choices.HEAD, loaded.query_heads)
    group = head // (loaded.query_heads // loaded.key_value_heads)
    ids = set(ready.field.heads[layer][group].splat_id.tolist())
    chosen_splat.keep_sound(loaded.fingerprint, layer, group, ids)
    try:
        found = served.findings(loaded, ready, layer)
    except FieldError as refusal:
        show_without(refusal, "Until then, a layer can be measured here.")
        found = None
    if found is None:
        _offer(loaded, ready, layer)
        return
    _said(found)
    function = whole_model(loaded, found, layer, head)
    one_head(found, layer, head)
    downloads(loaded, found, function, layer, head)


def _offer(loaded: LoadedModel, ready: engine.ReadyField, layer: int) -> None:
    place = st.empty()
    with place.container():
        st.info(
            "Nothing that was measured of this layer is at hand. It can be measured now on the "
            "reference texts that come with the app, some 11,000 tokens, in about a minute; "
            "`python -m hsa specialise` measures all layers on texts of your own."
        )
        st.selectbox("Layer", range(loaded.layers), **choices.LAYER.widget())
        wanted = st.button(f"Measure layer {layer}", type="primary", key="functions-measure")
    if not wanted:
        return
    place.empty()
    with refusals(), waiting() as progress:
        served.measure(loaded, ready, layer, progress)
    st.rerun()


def _said(found: Findings) -> None:
    texts = ", ".join(name for name, _ in found.corpus)
    st.caption(
        plain(
            f"Measured on {found.tokens:,} tokens of {len(found.corpus)} texts ({texts}): "
            f"{found.tests:,} tests. Every key is compared with like keys of its head, at like "
            "positions and of like frequency, and for pairs with like attention received. A "
            "function is claimed when it is found in one half of the texts at a false discovery "
            "rate of 5% over all splats and functions of the head (Benjamini-Hochberg), and holds "
            "in the other half, whose figures are shown. Found is not proved: a splat that holds "
            "commas may matter for something else."
        )
    )
    for note in found.notes:
        st.warning(plain(note))


main()
