"""The splat's parent, children and nearest siblings, each a way to its own portrait."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import choices
from pages.ui.portrait_view import SplatView

if TYPE_CHECKING:
    from hsa.specialization.family import Relative

GO, TABLE = "portrait-go", "portrait-family"


def family(view: SplatView) -> None:
    """A table of relatives; a click or the box beside it goes to one."""
    from hsa.figures.portrait_tables import family_table

    known = view.shown.family
    parents = [known.parent] if known.parent else []
    kinds = (("parent", parents), ("child", known.children), ("neighbour", known.neighbours))
    named = [(kind, of) for kind, relatives in kinds for of in relatives]
    st.markdown("**Its family**")
    st.caption(
        f"{_count(view)} Neighbours are the nearest of its siblings; distance is between positions "
        "in the field's frame, in logits. Choose a row, or one in the box, to go there."
    )
    labels = {of.splat_id: _label(kind, of) for kind, of in named}
    if not labels:
        return

    def chosen_in_box() -> None:
        choices.SPLAT.choose(st.session_state[GO])

    # A table of its own for each splat, so that the row chosen last is not chosen in the next.
    key = f"{TABLE}-{view.shown.splat_id}"

    def chosen_in_table() -> None:
        rows = st.session_state[key].selection.rows
        if rows:
            choices.SPLAT.choose(named[rows[0]][1].splat_id)

    st.session_state[GO] = None
    st.selectbox(
        "Go to a relative", list(labels), key=GO, on_change=chosen_in_box, width=420,
        format_func=lambda splat_id: labels[splat_id], placeholder="Choose one",
    )  # fmt: skip
    table = family_table([of for _, of in named])
    table.insert(0, "relation", [kind for kind, _ in named])
    column = st.column_config.NumberColumn
    st.dataframe(
        table,
        key=key,
        hide_index=True,
        on_select=chosen_in_table,
        selection_mode="single-row",
        height=min(38 + 35 * len(named), 320),
        column_config={
            "distance": column("distance, logits", format="%.3g"),
            "keys": "tokens here",
            "standard": column("mass, standard", format="percent"),
            "hsa": column("mass, HSA", format="percent"),
            "prior": column("prior share", format="percent"),
            "tokens": "most attended tokens",
        },
    )


def _count(view: SplatView) -> str:
    known = view.shown.family
    above = "No parent" if known.parent is None else f"Below {_name(known.parent)}"
    below = len(known.children)
    return f"{above}; {below} {'child' if below == 1 else 'children'}."


def _label(kind: str, of: Relative) -> str:
    held = f"{of.keys:,} token{'s' * (of.keys != 1)}" if of.keys else "no token here"
    return f"{kind}: {_name(of)}, {held}"


def _name(of: Relative) -> str:
    return f"{of.level} {of.splat_id}"
