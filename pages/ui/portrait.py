"""The portrait of a splat: its tokens, pairs, places, family, and what it does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import choices
from pages.ui.case import Case
from pages.ui.plain import plain
from pages.ui.portrait_beside import beside_reference
from pages.ui.portrait_downloads import downloads
from pages.ui.portrait_effect import effect
from pages.ui.portrait_family import family
from pages.ui.portrait_lineage import lineage
from pages.ui.portrait_reference import in_reference, serves
from pages.ui.portrait_tokens import tokens_in_text
from pages.ui.portrait_view import SplatView, lives, splat_view
from pages.ui.refusals import refusals
from pages.ui.take_away import CAMERA
from pages.ui.waiting import waiting

if TYPE_CHECKING:
    from hsa.specialization.portrait import Portrait

METRIC = 143


def portrait(asked: Case, layer: int, head: int, splat_id: int) -> None:
    """Show one splat of one query head in the visitor's prompt."""
    if not lives(asked, layer, head, splat_id):
        _says_dead(layer, head, splat_id)
        return
    with refusals(), waiting() as progress:
        view = splat_view(asked, layer, head, splat_id, progress)
    shown = view.shown
    _heading(view)
    serves(view)
    if not len(shown.positions):
        st.info(
            plain(
                f"{shown.name} holds no token of this prompt: it draws no attention here, and "
                "closing or removing it changes nothing. Go to a relative below that holds some, "
                "choose another splat, or another prompt."
            )
        )
        beside_reference(view)
        in_reference(view)
        family(view)
        lineage(view)
        return
    left, right = st.columns([3, 2], gap="medium")
    with left:
        tokens_in_text(view)
    with right:
        _states(shown)
    _places(shown)
    _pairs(shown)
    beside_reference(view)
    in_reference(view)
    family(view)
    lineage(view)
    downloads(view)
    effect(view)


def _says_dead(layer: int, head: int, splat_id: int) -> None:
    st.warning(
        plain(
            f"Splat {splat_id} does not live in layer {layer}, head {head}. It may have died or "
            "merged since the link was made, the link may come from another field, or the splat "
            "belongs to another head. Choose one of those that live here."
        )
    )
    st.button(
        "Show the heaviest splat here", key="portrait-heaviest", type="primary",
        on_click=choices.SPLAT.choose, args=(None,),
    )  # fmt: skip


def _heading(view: SplatView) -> None:
    shown = view.shown
    st.subheader(
        plain(f"{view.asked.loaded.title}: layer {view.layer}, head {view.head}, {shown.name}"),
        anchor=False,
    )
    far = "Of this, {:.3g}% while its keys were far: for those alone the splat may answer."
    with st.container(horizontal=True):
        st.metric(
            f"Tokens, of {shown.tokens:,}",
            f"{len(shown.positions):,}",
            width=METRIC,
            help="Keys of this prompt that are routed to it, on its level.",
        )
        st.metric(
            "Mass, standard",
            f"{100 * shown.mass_standard:.3g}%",
            width=METRIC,
            help="Share of all attention of this head, over all queries, that its keys receive. "
            + far.format(100 * shown.far_standard),
        )
        st.metric(
            "Mass, HSA",
            f"{100 * shown.mass_hsa:.3g}%",
            width=METRIC,
            help=far.format(100 * shown.far_hsa),
        )
        st.metric(
            "Output moved by",
            _percent(shown.error.moved),
            width=METRIC,
            help="What its closed answers, mass and value together, moved this head's output by: "
            "root mean square over all queries, as a share of the output's length.",
        )
        st.metric(
            "Spread, logits",
            f"{shown.prompt_spread:.3g}" if len(shown.positions) > 1 else "–",
            width=METRIC,
            help="RMS distance of its keys in this prompt from their mean, in the field's frame, "
            "where distance is a difference of logits; it takes two keys. Over the texts of the "
            f"fit it was {shown.field_spread:.3g}.",
        )
        st.metric(
            "Prior share",
            f"{100 * shown.prior:.3g}%",
            width=METRIC,
            help="Its share of its level's keys over the texts that the field was fitted on.",
        )


def _percent(share: float) -> str:
    """With three digits, or that it is next to nothing."""
    return "below 0.001%" if 0 < share < 1e-5 else f"{100 * share:.3g}%"


def _states(shown: Portrait) -> None:
    from hsa.figures.portrait_states import states_figure

    error = shown.error
    st.markdown("**What the queries did with it**")
    st.plotly_chart(states_figure(shown.states), key="portrait-states", config=CAMERA)
    if not error.queries:
        st.caption("No query left it closed, so it answered for nobody and erred nowhere.")
        return
    sign = "more" if error.closed_mass > error.exact_mass else "less"
    st.markdown(
        plain(
            f"Closed by {error.queries:,} queries, it answered with {100 * error.closed_mass:.3g}% "
            f"of their rows, {sign} than the {100 * error.exact_mass:.3g}% that its keys get in "
            "standard attention (means over those queries)."
        )
    )
    st.markdown(
        plain(
            f"By its mass it moved the output by {100 * error.mass_error**0.5:.3g}%, by its mean "
            f"value by {100 * error.value_error**0.5:.3g}%. The whole head is off by "
            f"{100 * error.head_error:.3g}%, of which, as squares, "
            f"{_share(error.error, error.head_error)} is this splat's."
        )
    )
    if error.error < 0:
        st.caption("A negative part: it cancels some of what other closed splats do wrong.")


def _share(error: float, head_error: float) -> str:
    return f"{100 * error / head_error**2:.3g}%" if head_error else "nothing"


def _places(shown: Portrait) -> None:
    from hsa.figures.portrait_profiles import profile_figure

    left, right = st.columns(2, gap="medium")
    with left:
        st.markdown("**Where in the text its keys stand**")
        figure = profile_figure(shown.position_profile, "position")
        st.plotly_chart(figure, key="portrait-positions", config=CAMERA)
    with right:
        st.markdown("**Over which distance they are read**")
        figure = profile_figure(shown.distance_profile, "distance")
        st.plotly_chart(figure, key="portrait-distances", config=CAMERA)


def _pairs(shown: Portrait) -> None:
    from hsa.figures.portrait_tables import pairs_table

    st.markdown("**Pairs that it carries most**")
    near = st.toggle(
        "Near keys too", value=not shown.far_pairs, key="portrait-pairs-near",
        help="First tokens and the last few: always read as tokens, whatever becomes of the splat.",
    )  # fmt: skip
    pairs = shown.pairs if near else shown.far_pairs
    if not pairs:
        st.caption("All of its keys are near to every query that sees them.")
        return
    column = st.column_config.NumberColumn
    st.dataframe(
        pairs_table(pairs),
        hide_index=True,
        column_config={
            "query": "query, looks at",
            "standard": column("standard, A", format="%.4f"),
            "hsa": column("HSA, A", format="%.4f"),
            "contribution": column("‖A v‖", format="%.4g", help="In standard attention."),
            "read_as": "read by HSA as",
        },
    )
