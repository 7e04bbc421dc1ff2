"""Health: what stands out badly in a head's splats, and edits tried before they are kept."""

from __future__ import annotations

import streamlit as st

from pages.ui import choices, chosen_splat, engine
from pages.ui.case import field
from pages.ui.frame import frame
from pages.ui.health_attempt import attempt
from pages.ui.health_downloads import downloads
from pages.ui.health_flags import flags
from pages.ui.health_heads import heads, known_heads
from pages.ui.health_look import known, look
from pages.ui.refusals import refusals
from pages.ui.waiting import waiting

frame(
    "Health",
    "Which splats stand out badly, and would mending them help?",
    prompt_in="page",
    reads=False,
)


def main() -> None:
    """The heads of a layer, their flags, and one splat's edit."""
    with refusals(), waiting() as progress:
        loaded = engine.model(choices.MODEL.value, progress)
    ready = field(loaded)
    layer = choices.within(choices.LAYER, loaded.layers)
    head = choices.within(choices.HEAD, loaded.query_heads)
    beside = st.columns([1, 1, 4])
    beside[0].selectbox("Layer", range(loaded.layers), **choices.LAYER.widget())
    beside[1].selectbox("Head", range(loaded.query_heads), **choices.HEAD.widget())
    group = head // (loaded.query_heads // loaded.key_value_heads)
    ids = set(ready.field.heads[layer][group].splat_id.tolist())
    chosen_splat.keep_sound(loaded.fingerprint, layer, group, ids)
    found = known(ready, layer)
    if found is None:
        st.info(
            "Nothing is known of this layer yet. It is read on the reference texts that come with "
            "the app: what two of them say of its splats, with two more held to judge edits on."
        )
        if st.button(f"Look layer {layer} over", type="primary", key="health-look"):
            with refusals(), waiting() as progress:
                look(loaded, ready, layer, progress)
            st.rerun()
        known_heads(loaded, ready)
        return
    heads(found, group)
    flags(loaded, ready, found, group)
    attempt(loaded, ready, found, group)
    downloads(loaded, ready, found, group)
    known_heads(loaded, ready)


main()
