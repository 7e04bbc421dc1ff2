"""Which splat is looked at: by level, and by what it holds of this prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import choices, chosen_splat
from pages.ui.case import Case
from pages.ui.portrait_view import known_splats
from pages.ui.refusals import refusals
from pages.ui.waiting import waiting

if TYPE_CHECKING:
    from hsa.specialization.roster import Roster

LEVEL, SPLAT = "portrait-level", "portrait-splat"
LEVELS = ("Document", "Section", "Phrase")


def pick_splat(asked: Case, layer: int, head: int) -> int:
    """The id chosen; the Phrase with most far attention in this head when there is none yet."""
    size = asked.loaded.query_heads // asked.loaded.key_value_heads
    chosen_splat.keep_to_head(asked.loaded.fingerprint, layer, head // size)
    with refusals(), waiting() as progress:
        known = known_splats(asked, layer, head, progress)
    heaviest = known.heaviest(len(LEVELS) - 1)
    chosen = choices.SPLAT.value
    ids = known.splat_id.tolist()
    shown = heaviest if chosen is None else chosen
    level = LEVELS[int(known.level[ids.index(shown)])] if shown in ids else None
    options = _options(known, level)
    st.session_state[LEVEL] = level
    st.session_state[SPLAT] = shown if shown in ids else None

    def other_level() -> None:
        wanted = st.session_state[LEVEL]
        if wanted is not None:
            choices.SPLAT.choose(known.heaviest(LEVELS.index(wanted)))

    def other_splat() -> None:
        choices.SPLAT.choose(st.session_state[SPLAT])

    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.segmented_control("Level", LEVELS, key=LEVEL, on_change=other_level)
        st.selectbox(
            "Splat, the most attended first",
            list(options),
            key=SPLAT,
            on_change=other_splat,
            format_func=lambda splat_id: options[splat_id],
            placeholder="Choose one",
            width=420,
        )
    if chosen is None:
        st.caption("Chosen for you: the Phrase whose far keys draw most attention in this head.")
    return shown


def _options(known: Roster, level: str | None) -> dict[int, str]:
    """Ids of a level with what each holds, the heaviest first; of every level without one."""
    mass, keys = known.far_mass.tolist(), known.keys.tolist()
    order = sorted(range(len(mass)), key=lambda at: (-mass[at], -keys[at], at))
    named = {}
    for at in order:
        own = LEVELS[int(known.level[at])]
        if level in (None, own):
            splat_id = int(known.splat_id[at])
            held = f"{keys[at]:,} token{'s' * (keys[at] != 1)}" if keys[at] else "no token here"
            share = f", {mass[at]:.2%} of the attention while far" if mass[at] else ""
            named[splat_id] = f"{own} {splat_id}: {held}{share}"
    return named
