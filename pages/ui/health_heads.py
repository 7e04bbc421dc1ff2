"""Heads in a table, the one that errs most first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import choices, engine
from pages.ui.health_look import known, look
from pages.ui.refusals import refusals
from pages.ui.waiting import waiting

if TYPE_CHECKING:
    from hsa.models.loaded import LoadedModel
    from hsa.specialization.health import LayerHealth

ERROR = st.column_config.NumberColumn(
    format="percent",
    help="Relative output error of HSA against standard attention on these texts, of the query "
    "head of the group that errs most.",
)


def heads(found: LayerHealth, group: int) -> None:
    """The heads of one layer; the one looked at is named."""
    worst = sorted(found.rows(), key=lambda row: -row["error"])
    st.markdown(f"**Layer {found.layer}: its key/value heads, the one that errs most first**")
    st.dataframe(worst, hide_index=True, column_config={"error": ERROR})
    st.caption(
        f"Read on {found.tokens:,} tokens, passages of up to {found.positions:,}. Keys turn with "
        "their position, so splats that serve later positions stay without keys here and count "
        f"as dead. Below: key/value head {group}, which query head {choices.HEAD.value} reads."
    )


def known_heads(loaded: LoadedModel, ready: engine.ReadyField) -> None:
    """All layers looked over so far, and the offer to look over the rest."""
    with st.expander("The whole model"):
        layers = {layer: known(ready, layer) for layer in range(loaded.layers)}
        rows = [row for one in layers.values() if one is not None for row in one.rows()]
        missing = [layer for layer, one in layers.items() if one is None]
        if rows:
            rows.sort(key=lambda row: -row["error"])
            st.dataframe(rows, hide_index=True, height=300, column_config={"error": ERROR})
        if not missing:
            return
        st.caption(
            f"{len(missing)} of {loaded.layers} layers are not looked over yet; all of them take "
            "some minutes."
        )
        if st.button("Look all layers over", key="health-all"):
            with refusals(), waiting() as progress:
                for layer in missing:
                    look(loaded, ready, layer, progress)
            st.rerun()
