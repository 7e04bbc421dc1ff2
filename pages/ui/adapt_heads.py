"""Which layers and key/value heads may change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import kept

if TYPE_CHECKING:
    from pages.ui.engine import ReadyField

MOST_LAYERS = 3
MOST_FIRST = 3


def head_controls(ready: ReadyField) -> list[tuple[int, int]]:
    """(layer, key/value head) of all that are chosen; none if nothing is."""
    layers = ready.field.layers
    groups = len(ready.field.heads[0])
    first = sorted({round(0.27 * layers), round(0.6 * layers)})
    of_model = f"{ready.field.fingerprint[:12]}"
    left, right = st.columns(2)
    with left:
        chosen = st.multiselect(
            "Layers", range(layers), max_selections=MOST_LAYERS,
            help=f"At most {MOST_LAYERS} at once. The field of each layer adapts on its own.",
            **kept.widget(f"adapt-layers-{of_model}", first),
        )  # fmt: skip
    with right:
        heads = st.multiselect(
            "Key/value heads", range(groups),
            help="Each has a field of its own, which the query heads of its group share.",
            **kept.widget(f"adapt-heads-{of_model}", list(range(min(groups, MOST_FIRST)))),
        )  # fmt: skip
    return [(layer, group) for layer in sorted(chosen) for group in sorted(heads)]
