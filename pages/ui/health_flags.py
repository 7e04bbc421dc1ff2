"""What stands out in the splats of one head, and ways from there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import choices, chosen_splat, engine, served
from pages.ui.plain import plain

if TYPE_CHECKING:
    from hsa.models.loaded import LoadedModel
    from hsa.specialization.health import LayerHealth

TABLE = "health-flags"


def flags(loaded: LoadedModel, ready: engine.ReadyField, found: LayerHealth, group: int) -> None:
    """Every flag of the head with its reason; a row chosen chooses its splat."""
    from hsa.field.splat_field import LEVELS
    from hsa.specialization.diagnosis import MEANINGS

    head = found.heads[group]
    if not head.flags:
        st.success("Nothing stands out in this head.")
        return
    kinds = [kind for kind in MEANINGS if any(flag.kind == kind for flag in head.flags)]
    counts = {kind: sum(flag.kind == kind for flag in head.flags) for kind in kinds}
    kind = st.pills(
        "What stands out", kinds, default=min(kinds, key=lambda name: counts[name]),
        format_func=lambda name: f"{name} ({counts[name]:,})", key=f"health-kind-{group}",
    )  # fmt: skip
    shown = [flag for flag in head.flags if kind in (None, flag.kind)]
    if kind is not None:
        st.caption(f"{MEANINGS[kind]} The gravest first; choose a row to choose its splat.")

    serves = served.labels(loaded, ready, found.layer, choices.HEAD.value)

    def clicked() -> None:
        rows = st.session_state[TABLE].selection.rows
        if rows:
            size = loaded.query_heads // loaded.key_value_heads
            chosen_splat.choose(
                loaded.fingerprint, found.layer, group, size, shown[rows[0]].splat_id
            )

    st.dataframe(
        {
            "splat": [f"{LEVELS[flag.level]} {flag.splat_id}" for flag in shown],
            "flag": [flag.kind for flag in shown],
            "reason": [flag.reason for flag in shown],
            "to try": [flag.action for flag in shown],
            "serves": [serves.get(flag.splat_id, "") for flag in shown],
        },
        key=TABLE, hide_index=True, on_select=clicked, selection_mode="single-row",
        height=min(240, 36 * (len(shown) + 1)),
    )  # fmt: skip
    splat = choices.SPLAT.value
    if splat is None:
        return
    for flag in head.of_splat(splat):
        st.markdown(f"**Splat {splat}, {flag.kind}**: {plain(flag.reason)}")
    with st.container(horizontal=True):
        st.page_link("pages/atlas.py", label="**Its place in the atlas →**")
        st.page_link("pages/portrait.py", label="**Its portrait →**")
        st.page_link("pages/compare.py", label="**Compare this head →**")
