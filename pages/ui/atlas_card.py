"""A splat in short: what it is, what it holds, and where to go from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import atlas_use, chosen_splat, served
from pages.ui.case import Case
from pages.ui.plain import plain
from pages.ui.waiting import waiting

if TYPE_CHECKING:
    from hsa.field.splat_field import SplatField
    from hsa.models.loaded import LoadedModel
    from hsa.specialization.findings import Finding
    from pages.ui.engine import ReadyField

MOST_CHILDREN = 16
MOST_TOKENS = 8


def card(
    asked: Case | None, loaded: LoadedModel, ready: ReadyField, layer: int, head: int,
    splat_id: int,
) -> None:  # fmt: skip
    """One splat of the key/value head that query head `head` reads; its id must be of this field.

    Args:
        asked: the visitor's case, if there is a prompt.
    """
    from hsa.field.splat_field import LEVELS

    size = loaded.query_heads // loaded.key_value_heads
    group = head // size
    field = ready.field.heads[layer][group]
    row = int((field.splat_id == splat_id).nonzero()[0])
    with st.container(border=True, key="atlas-card"):
        name = f"{LEVELS[int(field.level[row])]} {splat_id}"
        st.subheader(name, anchor=False)
        st.caption(f"layer {layer}, key/value head {group}")
        for found in _serves(loaded, ready, layer, head, splat_id)[:2]:
            st.markdown(f"It {plain(found.label)}.", help=plain(found.evidence))
        _numbers(asked, field, layer, group, row)
        parent = int(field.parent[row])
        if parent >= 0:
            _links("Parent", loaded, field, layer, group, [parent])
        children = (field.parent == row).nonzero().squeeze(1).tolist()
        if children:
            _links(f"Children ({len(children)})", loaded, field, layer, group, children)
        if asked is not None:
            _tokens(asked, layer, group, row)
        if asked is not None:
            st.page_link("pages/portrait.py", label="**Its portrait →**")
        st.button("Let go", key="atlas-release", on_click=chosen_splat.release,
                  help="Or press Esc on the map.")  # fmt: skip


def _serves(
    loaded: LoadedModel, ready: ReadyField, layer: int, head: int, splat_id: int
) -> tuple[Finding, ...]:
    """What the splat is known to serve, the most telling first."""
    found = served.known(loaded, ready, layer, say=False)  # the attributes have said it
    if found is None or layer not in found.layers:
        return ()
    return found.of_splat(layer, head, splat_id)


def _numbers(asked: Case | None, field: SplatField, layer: int, group: int, row: int) -> None:
    spread = float(field.log_spread[row].exp().sum().sqrt())
    told = [
        ("Spread", f"{spread:.3g}", "√Σσ², in the query metric."),
        ("Prior share", f"{float(field.log_amplitude[row].exp()):.3%}",
         "Of its level's keys in the texts of the fit."),
    ]  # fmt: skip
    if asked is not None:
        with waiting() as progress:
            use = atlas_use.splat_use(asked, layer, group, progress)
        told += [
            ("Keys here", f"{int(use.keys[row]):,}", "Tokens of this prompt that it holds."),
            ("Mass here", f"{float(use.mass[row]):.3%}",
             "Share of standard attention that these receive."),
        ]  # fmt: skip
    with st.container(horizontal=True):
        for label, value, means in told:
            st.metric(label, value, help=plain(means), width=112)


def _links(label: str, loaded: LoadedModel, field: SplatField, layer: int, group: int,
           rows: list[int]) -> None:  # fmt: skip
    """Splats to go to."""
    from hsa.field.splat_field import LEVELS

    size = loaded.query_heads // loaded.key_value_heads
    ids = field.splat_id[rows].tolist()
    key = f"atlas-go-{layer}-{group}-{ids[0]}"

    def go() -> None:
        if st.session_state[key] is not None:
            chosen_splat.choose(loaded.fingerprint, layer, group, size, st.session_state[key])

    level = LEVELS[int(field.level[rows[0]])]
    st.pills(
        label, ids[:MOST_CHILDREN], key=key, on_change=go, default=None,
        format_func=lambda number: f"{level} {number}",
    )  # fmt: skip
    if len(rows) > MOST_CHILDREN:
        st.caption(f"and {len(rows) - MOST_CHILDREN} more: the table lists them by parent.")


def _tokens(asked: Case, layer: int, group: int, row: int) -> None:
    import pandas as pd

    from hsa.figures.token_label import token_label

    with waiting() as progress:
        use = atlas_use.splat_use(asked, layer, group, progress)
    held = use.held(row)
    if not len(held):
        st.caption("It holds no token of this prompt.")
        return
    ranked = held[use.received[held].argsort(descending=True)][:MOST_TOKENS].tolist()
    st.caption("Its most attended tokens")
    st.dataframe(
        pd.DataFrame(
            {
                "token": [token_label(asked.tokens.strings[key]) for key in ranked],
                "position": ranked,
                "mass": [float(use.received[key]) for key in ranked],
            }
        ),
        hide_index=True,
        column_config={
            "mass": st.column_config.NumberColumn(
                format="percent", help="Share of standard attention, mean over all queries."
            )
        },
    )
