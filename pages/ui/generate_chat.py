"""A conversation in which HSA takes over as far as both attentions agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from hsa.models.catalog import CATALOG
from pages.ui import cost, engine
from pages.ui.generate_controls import drawing_controls, writing
from pages.ui.generate_job import Place
from pages.ui.generate_notices import notices
from pages.ui.generate_transition import transition, transition_settings
from pages.ui.plain import plain, sendable

if TYPE_CHECKING:
    from hsa.inference.chat import Chat, Turn
    from hsa.models.loaded import LoadedModel

CHAT = "generate-chat"
PLACE = Place("chat")


def chat(loaded: LoadedModel, ready: engine.ReadyField) -> None:
    """The conversation left, the controller that watches it right."""
    from hsa.inference.chat import Chat

    if not loaded.tokenizer.chat_template:
        st.info("This model has no chat template. Continue a prompt instead.")
        return
    if loaded.name in CATALOG:
        st.caption(
            plain(
                f"{loaded.title} was tuned to answer questions, but it is small and its weights "
                "are quantised to 4 bits: it errs and repeats itself under standard attention too."
            )
        )
    drawing_controls()
    settings = transition_settings()
    key = (loaded.fingerprint, ready.identity)
    kept = st.session_state.get(CHAT)
    if kept is None or kept[0] != key:
        PLACE.end()
        kept = st.session_state[CHAT] = (key, Chat(loaded, ready.field, settings))
    talk: Chat = kept[1]

    def anew() -> None:
        PLACE.end()
        st.session_state[CHAT] = (key, Chat(loaded, ready.field, settings))

    def asked() -> None:
        question = sendable(st.session_state["generate-question"]).strip()
        if question and not PLACE.live:
            how = writing()
            PLACE.start(lambda job: talk.answer(question, how, job.stopped, job.abandoned))

    for turn in talk.turns:
        cost.current().took("Answering", turn.seconds)
        cost.current().ran(turn.ledger, turn.tokens)
    left, right = st.columns([3, 2], gap="large")
    with left:
        PLACE.watch(lambda: _conversation(talk))
        PLACE.outcome()
        st.chat_input(
            "Ask something",
            key="generate-question",
            on_submit=asked,
            disabled=PLACE.live,
        )
        st.button("New conversation", key="generate-reset", on_click=anew)
    with right:
        transition(talk)


def _conversation(talk: Chat) -> None:
    turns = tuple(talk.turns)
    if not turns and not talk.question:
        st.info(
            "Ask something below. The first answer is standard attention's own; after every turn "
            "the controller tries more HSA on the conversation so far and keeps what agrees."
        )
    for number, turn in enumerate(turns, start=1):
        _turn(number, turn)
    if talk.stage == "answering":
        with st.chat_message("user"):
            st.text(talk.question)
        with st.chat_message("assistant"):
            written = tuple(talk.written)
            st.text(written[-1].text if written else "…")
    if talk.stage == "observing":
        st.caption("The controller tries more HSA on this conversation …")
    else:
        PLACE.stop_button()


def _turn(number: int, turn: Turn) -> None:
    with st.chat_message("user"):
        st.text(turn.question)
    with st.chat_message("assistant"):
        st.text(turn.answer or "(stopped before the first token)")
        parts = [f"turn {number}", f"mean β {turn.mean_beta:.2f}"]
        if turn.speed is not None and turn.speed.reads is not None:
            parts.append(f"read {turn.speed.reads:.0f} of {turn.speed.keys:.0f} keys per token")
            parts.append(f"{turn.speed.per_second:.1f} tokens/s")
        if turn.stopped:
            parts.append("stopped")
        st.caption(" · ".join(parts))
        notices(turn.ledger.fallbacks, tuple(turn.ledger.notices), "in this answer")
