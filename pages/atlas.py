"""Atlas: all splats of a head on a plane, with what is known of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import choices, chosen_splat, engine
from pages.ui.atlas_attributes import errors_wanted
from pages.ui.atlas_card import card
from pages.ui.atlas_filter import histogram, keep_names_sound, pick_levels, pick_token, stands_out
from pages.ui.atlas_head import pick_heads
from pages.ui.atlas_layouts import await_umap
from pages.ui.atlas_map_choice import controls, pick_splat, picture
from pages.ui.atlas_table import table
from pages.ui.atlas_view import AtlasView, atlas_view
from pages.ui.case import Case, case, field
from pages.ui.frame import frame
from pages.ui.plain import plain
from pages.ui.refusals import refusals
from pages.ui.waiting import waiting

if TYPE_CHECKING:
    from hsa.models.loaded import LoadedModel

page = frame("Atlas", "What are this head's splats, and where do they lie?")


def main(asked: Case | None, loaded: LoadedModel, ready: engine.ReadyField) -> None:
    """The heads chosen, and all that one may do with their splats."""
    layer, head = pick_heads(loaded, asked is not None)
    group = head // (loaded.query_heads // loaded.key_value_heads)
    own = ready.field.heads[layer][group]
    chosen_splat.keep_sound(loaded.fingerprint, layer, group, set(own.splat_id.tolist()))
    with refusals(), waiting() as progress:
        view = atlas_view(asked, loaded, ready, layer, head, progress)
    names = [attribute.name for attribute in view.atlas.attributes]
    for choice in (choices.PAINT, choices.ATTRIBUTE):
        choices.among(choice, names)
    keep_names_sound(view)
    for note in view.notes:
        st.info(plain(note))
    explore(view)
    await_umap(view.missing)


@st.fragment
def explore(view: AtlasView) -> None:
    """All that a click changes, and nothing else."""
    group = choices.HEAD.value // view.heads_of_group
    if (choices.LAYER.value, group) != (view.layer, view.group) or errors_wanted(
        view.atlas.attributes
    ):
        # A splat of another head was clicked, or errors are asked for that were not measured.
        st.rerun()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        controls(view)
        pick_levels()
    shown = stands_out(view)
    left, right = st.columns([2.2, 1], gap="medium")
    with left:
        picture(view, shown)
    with right:
        pick_token(view)
        pick_splat(view)
        if choices.SPLAT.value is None:
            st.info("Click a splat to see what it holds, its parent and its children.")
        else:
            card(view.asked, view.loaded, view.ready, view.layer, choices.HEAD.value,
                 choices.SPLAT.value)  # fmt: skip
    histogram(view)
    table(view, shown)


text = choices.prompt_text()
if text:
    asked = case(page, "")
    main(asked, asked.loaded, asked.ready)
else:
    with refusals(), waiting() as progress:
        model = engine.model(choices.MODEL.value, progress)
    main(None, model, field(model))
