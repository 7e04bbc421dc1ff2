"""Which heads are shown: layer and head, and other key/value heads beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import choices
from pages.ui.plain import plain
from pages.ui.readers import MOST_HEADS

if TYPE_CHECKING:
    from hsa.models.loaded import LoadedModel

BESIDE = "ask-beside"
LAYOUTS = {"umap": "UMAP", "pca": "PCA"}
ARRANGED = {"beside": "side by side", "over": "over one another"}


def pick_heads(loaded: LoadedModel, with_prompt: bool) -> tuple[int, int]:
    """Layer and query head, others beside them, and how they are laid out."""
    layers, heads = loaded.layers, loaded.query_heads
    layer = choices.within(choices.LAYER, layers)
    head = choices.within(choices.HEAD, heads)
    _keep_beside_sound(loaded)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox("Layer", range(layers), width=90, **choices.LAYER.widget())
        st.selectbox(
            "Head", range(heads), width=90, **choices.HEAD.widget(),
            help="A query head. Splats belong to the key/value head that it reads, which several "
            "query heads may share.",
        )  # fmt: skip
        _arrow("← head", "atlas-head-before", loaded, layer, head, -1)
        _arrow("head →", "atlas-head-after", loaded, layer, head, 1)
        pick_layout()
        _beside(loaded, layer, head)
        if choices.BESIDE.value and with_prompt:
            st.segmented_control(
                "Arranged", list(ARRANGED), format_func=lambda name: ARRANGED[name], required=True,
                **choices.ARRANGED.widget(),
            )  # fmt: skip
    return layer, head


def _arrow(label: str, key: str, loaded: LoadedModel, layer: int, head: int, step: int) -> None:
    """To the next key/value head, through all layers."""
    size = loaded.query_heads // loaded.key_value_heads
    number = layer * loaded.key_value_heads + head // size + step
    possible = 0 <= number < loaded.layers * loaded.key_value_heads
    to_layer, to_group = divmod(number, loaded.key_value_heads)

    def go() -> None:
        choices.LAYER.choose(to_layer)
        choices.HEAD.choose(to_group * size)

    st.button(label, key=key, disabled=not possible, on_click=go)


def pick_layout() -> None:
    """UMAP or principal components."""
    st.segmented_control(
        "Laid out by", list(LAYOUTS), format_func=lambda name: LAYOUTS[name], required=True,
        help="PCA, the principal components, is a flat view: far things are far apart. UMAP keeps "
        "neighbours together; distances across the map say little.",
        **choices.LAYOUT.widget(),
    )  # fmt: skip


def _beside(loaded: LoadedModel, layer: int, head: int) -> None:
    group = head // (loaded.query_heads // loaded.key_value_heads)
    others = [
        (at, g)
        for at in range(loaded.layers)
        for g in range(loaded.key_value_heads)
        if (at, g) != (layer, group)
    ]
    # Those of the same layer first: they are what one compares with most.
    others.sort(key=lambda other: (other[0] != layer, other))
    if not others:
        return
    # The head chosen may also stand among the others, whose map is then the same.
    shown = [other for other in choices.BESIDE.value if other != (layer, group)]
    if st.session_state.get(BESIDE) != shown:
        st.session_state[BESIDE] = shown

    def heard() -> None:
        choices.BESIDE.choose(tuple(sorted(st.session_state[BESIDE])))

    st.multiselect(
        "Key/value heads shown beside it", others, key=BESIDE, on_change=heard,
        format_func=lambda other: f"layer {other[0]}, head {other[1]}", width=300,
        max_selections=MOST_HEADS - 1, placeholder="none",
    )  # fmt: skip


def _keep_beside_sound(loaded: LoadedModel) -> None:
    known = tuple(
        (layer, group)
        for layer, group in choices.BESIDE.value
        if layer < loaded.layers and group < loaded.key_value_heads
    )
    if known != choices.BESIDE.value:
        choices.BESIDE.choose(known)
        st.warning(
            plain(
                f"The address names heads that {loaded.title} does not have: it has layers 0 to "
                f"{loaded.layers - 1} of {loaded.key_value_heads} key/value heads each."
            )
        )
