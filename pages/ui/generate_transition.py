"""The transition controller, watched: β per layer, KL against its bound, its verdicts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui.generate_downloads import chat_downloads
from pages.ui.plain import plain
from pages.ui.take_away import CAMERA

if TYPE_CHECKING:
    from hsa.inference.chat import Chat
    from hsa.inference.transition import TransitionSettings

NAMES = {
    "bound": "KL allowed",
    "rise": "Rise of β per turn",
    "fall": "Factor where it disagrees",
    "suspects": "Layers tried alone",
}


def transition_settings() -> TransitionSettings:
    """What a new conversation's controller goes by."""
    from hsa.hyperparameter import bounds
    from hsa.inference.transition import TransitionSettings

    defaults = TransitionSettings()
    chosen = {}
    with st.expander("The controller's settings (for the next conversation)"):
        places = st.columns(len(NAMES))
        for place, (name, allowed) in zip(places, bounds(TransitionSettings).items(), strict=True):
            default = getattr(defaults, name)
            whole = isinstance(default, int)
            kind = int if whole else float
            chosen[name] = place.number_input(
                NAMES[name],
                kind(allowed.low),
                kind(allowed.high),
                default,
                step=1 if whole else default / 2,
                format="%d" if whole else "%.4g",
                help=f"{allowed.help}, {allowed.unit}".rstrip(", "),
                key=f"ask-transition-{name}",
            )
    return TransitionSettings(**chosen)


def transition(talk: Chat) -> None:
    """How far HSA has taken over, and what was seen on every turn."""
    from hsa.figures.transition import beta_figure, transition_figure

    st.subheader("How much of it is HSA", anchor=False)
    history = talk.controller.history
    bound = talk.controller.settings.bound
    st.caption(
        plain(
            "β of every layer for the next answer. It rises while the mean next-token KL against "
            f"standard attention, on the conversation so far, stays within {bound:g} nats, and "
            "falls in the layers at fault where it does not."
        )
    )
    st.plotly_chart(
        beta_figure(talk.controller.beta.tolist()),
        key="chat-beta",
        config=CAMERA,
    )
    if not history:
        chat_downloads(talk)
        return
    st.markdown(f"**Turn {len(history)}** {plain(history[-1].verdict)}")
    st.plotly_chart(
        transition_figure(history, bound),
        key="chat-transition",
        config=CAMERA,
    )
    st.dataframe(
        [
            {"turn": number, "tokens": seen.tokens, "KL, nats": seen.kl_nats,
             "verdict": seen.verdict}
            for number, seen in enumerate(history, start=1)
        ],
        hide_index=True,
        column_config={"KL, nats": st.column_config.NumberColumn(format="%.4f")},
    )  # fmt: skip
    chat_downloads(talk)
