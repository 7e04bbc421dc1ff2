"""The splat closed, removed and replaced: the head, its layer, and the next token, on demand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import cost, engine
from pages.ui.plain import plain
from pages.ui.portrait_downloads import effect_downloads, next_token_download
from pages.ui.portrait_view import SplatView
from pages.ui.refusals import refusals
from pages.ui.take_away import CAMERA
from pages.ui.waiting import Progress, waiting

if TYPE_CHECKING:
    from hsa.evaluation.splat_effect import Case, HeadEffect, NextTokenEffect
    from hsa.explanation.counterfactual import Counterfactual

ASKED = "portrait-effect-asked"
"""Session key: for which portrait what was asked, so that a rerun shows it again."""

MOST_ASKED = 24


@st.fragment
def effect(view: SplatView) -> None:
    """What is asked for by buttons; a click reruns this part alone."""
    # What this part costs is told in the side bar, which a rerun of it alone may only write to if
    # the whole page's run did.
    cost.current().show()
    st.subheader("What if this splat were closed, removed, or read as tokens?", anchor=False)
    st.caption(
        "The same formulas run again. Closed: it answers for all of its far keys in every row. "
        "Removed: its keys get no weight, and the rest of each row is renormalised. Read as "
        "tokens: its far keys are read exactly. The other heads stay under standard attention."
    )
    if _press("head", "Run the counterfactuals", view, primary=True):
        _heads(view)
    if not view.asked.loaded.writes:
        st.caption("This model predicts no next token, so the effect ends at the layer's output.")
        return
    if _press("removed", "Next token with it removed", view):
        _next_tokens(view, ("removed from standard",), "removed")
    if _press("under HSA", "Next token with it closed and read as tokens, under HSA", view):
        _next_tokens(view, ("closed", "replaced"), "hsa")


def asked_for(view: SplatView, part: str) -> bool:
    """Whether the visitor asked for this part of this portrait."""
    return (part, view.key) in st.session_state.get(ASKED, ())


def _press(part: str, label: str, view: SplatView, *, primary: bool = False) -> bool:
    """Whether the part is to be shown: asked for before, or now."""
    if asked_for(view, part):
        return True
    slot = st.empty()
    kind = "primary" if primary else "secondary"
    if not slot.button(label, key=f"effect-{part}", type=kind):
        return False
    slot.empty()
    st.session_state[ASKED] = (*st.session_state.get(ASKED, ()), (part, view.key))[-MOST_ASKED:]
    return True


def found_of(view: SplatView) -> Counterfactual:
    """The head in every case, run or found kept."""
    from hsa.explanation.counterfactual import counterfactual

    return engine.kept(
        (*view.key, "counterfactual"),
        "Counterfactuals of one head",
        lambda: counterfactual(view.result, view.framed, view.shown.splat_id),
    )


def head_effects_of(view: SplatView, progress: Progress) -> tuple[HeadEffect, ...]:
    """Change of head and layer in every case, run or found kept."""
    from hsa.evaluation.splat_effect import head_effects

    found = found_of(view)
    given = view.asked.activations(view.layer, progress)
    return engine.kept(
        (*view.key, "head effects"),
        "Effect on the layer",
        lambda: head_effects(view.asked.loaded, given, view.head, found),
    )


def next_tokens_of(view: SplatView, cases: tuple[Case, ...]) -> tuple[NextTokenEffect, ...]:
    """Change of the next token in some cases, run or found kept."""
    from hsa.evaluation.splat_effect import next_token_effects

    found, asked = found_of(view), view.asked
    return engine.kept(
        (*view.key, "next token", cases),
        "Effect on the next token",
        lambda: next_token_effects(
            asked.loaded, asked.ready.field, asked.tokens, view.layer, view.head, found, cases
        ),
    )


def _heads(view: SplatView) -> None:
    from hsa.figures.splat_effect import effect_table, rows_figure

    with refusals(), waiting() as progress:
        progress("Closing, removing and replacing the splat", None)
        found, effects = found_of(view), head_effects_of(view, progress)
    through = effects[0].layer.through
    column = st.column_config.NumberColumn
    st.dataframe(
        effect_table(effects, found),
        hide_index=True,
        column_config={
            "case": "the splat",
            "before": None,
            "head_change": column(
                "change of the head", format="percent", help="‖o' − o‖ / ‖o‖ over all rows."
            ),
            "worst_row": column("worst row", format="percent"),
            "layer_change": column(
                "change of the layer", format="percent",
                help=plain(
                    "The same of the layer's attention output, "
                    + ("the heads side by side, not projected."
                       if through == "heads side by side" else f"through {through}.")
                ),
            ),
            "error_before": column(
                "error before", format="percent",
                help="Of the head's output beside standard attention, as it is.",
            ),
            "error_after": column("error after", format="percent"),
        },
    )  # fmt: skip
    if found.own_token_rows:
        st.caption(
            f"{found.own_token_rows:,} rows would have lost every key, and keep their own token."
        )
    st.caption(
        "Compared with the head as it is: standard attention in the first case, HSA in the others. "
        "Below, every row; changes under one in a million are not drawn."
    )
    st.plotly_chart(rows_figure(effects, view.strings), key="effect-rows", config=CAMERA)
    effect_downloads(view, found, effects)


def _next_tokens(view: SplatView, cases: tuple[Case, ...], name: str) -> None:
    from hsa.figures.splat_effect import TITLES, most_changed_table, next_token_kl_figure

    with refusals(), waiting() as progress:
        progress("Running the model with and without", None)
        effects = next_tokens_of(view, cases)
    for effect in effects:
        change = effect.change
        st.markdown(f"**Next token, the splat {plain(TITLES[effect.case])}**")
        st.markdown(
            plain(
                f"KL(before ‖ after): mean {change.mean:.3g} nats, after the last token "
                f"{change.last:.3g}. Another token is likeliest at {change.top_changed:,} of "
                f"{len(change.kl_nats):,} positions."
            )
        )
        st.caption("The positions that change most, with what was likeliest:")
        st.dataframe(
            most_changed_table(change),
            hide_index=True,
            column_config={
                "after_token": "after token",
                "text_goes_on": "the text goes on",
                "kl_nats": st.column_config.NumberColumn("KL, nats", format="%.3g"),
                "before": st.column_config.TextColumn("likeliest before", width=280),
                "after": st.column_config.TextColumn("likeliest after", width=280),
            },
        )
    figure = next_token_kl_figure(effects, view.strings)
    st.plotly_chart(figure, key=f"effect-kl-{name}", config=CAMERA)
    next_token_download(view, effects, name)
