"""One prompt continued by both attentions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import choices, cost, engine, inputs
from pages.ui.generate_agreement import agreement
from pages.ui.generate_controls import drawing_controls, reads_and_beta, writing
from pages.ui.generate_job import Place
from pages.ui.generate_lanes import lanes
from pages.ui.plain import plain
from pages.ui.refusals import refusals

if TYPE_CHECKING:
    from hsa.inference.side_by_side import SideBySide
    from hsa.models.loaded import LoadedModel

RUN = "generate-run"
PLACE = Place("continue")


def continued(loaded: LoadedModel, ready: engine.ReadyField) -> None:
    """Prompt, controls, both streams, and how far they agree."""
    inputs.sample_control()
    inputs.prompt_control(height=100)
    text = choices.prompt_text()
    drawing_controls()
    if not text:
        st.info("Pick a sample above, or type a text and press Ctrl + Enter; then write on.")
        return
    with refusals():
        tokens = engine.tokens(loaded, text)
    for note in tokens.notes:
        st.info(plain(note))
    reads_and_beta(loaded, len(tokens))
    asked = (loaded.fingerprint, ready.identity, text, writing())

    def begin() -> None:
        from hsa.errors import HSAError
        from hsa.inference.side_by_side import SideBySide

        st.session_state.pop(RUN, None)
        PLACE.end()
        try:
            run = SideBySide(loaded, ready.field, tokens.ids, writing())
        except HSAError as refusal:
            st.session_state[RUN] = (asked, refusal)
            return
        st.session_state[RUN] = (asked, run)
        PLACE.start(lambda job: run.run(job.stopped, job.abandoned))

    kept = st.session_state.get(RUN)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Write on" if kept is None else "Write anew",
            type="primary",
            key="generate-write",
            on_click=begin,
        )
        if kept is not None and kept[0] != asked:
            st.caption("What stands below was written before you changed the controls.")
    if kept is None:
        st.info(
            f"Both attentions will go on from these {len(tokens):,} tokens, a token each in turn. "
            "Then their predictions are compared on the text itself."
        )
        return
    _outcome(kept[0][2], kept[1])


def _outcome(prompt: str, run: SideBySide | Exception) -> None:
    with refusals():
        if isinstance(run, Exception):
            raise run

    def show() -> None:
        _progress(run)
        if PLACE.live or run.stage != "not begun":
            lanes(run, prompt)

    if not PLACE.failed or run.standard.written:
        PLACE.watch(show)
    PLACE.outcome()
    _cost(run)
    if run.agreement is not None:
        agreement(run.agreement)
    elif not PLACE.live and run.stage == "done":
        _offer(run)


def _cost(run: SideBySide) -> None:
    from hsa.inference.speed import speed

    lanes = (("Writing, standard", run.standard), ("Writing, HSA", run.ours))
    for name, lane in lanes:
        took = speed(lane.written)
        if took is not None:
            cost.current().took(name, took.in_all)
    if run.ours.written:
        cost.current().ran(run.ours.ledger, run.length)


def _progress(run: SideBySide) -> None:
    if PLACE.job is None:
        return
    if not PLACE.live:
        if run.stage == "not begun":
            st.info("Stopped before its turn came.")
        if PLACE.job.shared:
            st.caption("Another text was written on this server meanwhile: both were slower.")
        return
    if run.stage in ("not begun", "writing"):
        PLACE.stop_button()
    elif run.stage == "measuring":
        PLACE.skip_button()
    done = len(run.standard.written) + len(run.ours.written)
    sentence = {
        "not begun": "Starting",
        "writing": "Writing, a token each in turn" if done else "Reading the prompt",
        "measuring": "Comparing both on the text",
        "done": "Done",
    }[run.stage]
    st.progress(min(done / (2 * run.asked.most), 1.0), text=sentence)


def _offer(run: SideBySide) -> None:
    from hsa.inference.text_agreement import MOST_MEASURED

    if run.length > MOST_MEASURED:
        st.info(
            f"The text has {run.length:,} tokens. To compare both on it takes a while, and holds "
            "the predictions of each over the whole vocabulary in memory."
        )
    st.button(
        "Compare both on this text",
        key="generate-measure",
        on_click=lambda: PLACE.start(lambda job: run.measure(job.abandoned)),
    )
