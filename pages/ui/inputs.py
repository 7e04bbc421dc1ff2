"""The controls that every page shares: model, prompt, reads."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from hsa.models.catalog import CATALOG
from pages.ui import choices
from pages.ui.plain import plain
from pages.ui.samples import SAMPLES
from pages.ui.terms import means

WAYS = {
    "field": "As the field was calibrated",
    "per_head": "More in the heads that gain most",
    "per_query": "Each query until its error is small",
    "uniform": "The same in every head",
}
MOST_CHARACTERS = 200_000
BOX = "ask-prompt"
UPLOAD = "ask-upload"


def model_control() -> None:
    """The embedded models, and any hub id or folder that the visitor types."""
    options = list(CATALOG)
    if choices.MODEL.value not in options:
        options.append(choices.MODEL.value)
    key = "ask-model"
    if st.session_state.get(key) != choices.MODEL.value:
        st.session_state[key] = choices.MODEL.value

    def heard() -> None:
        name = (st.session_state[key] or "").strip()
        choices.MODEL.choose(name or choices.MODEL.default)
        choices.LAYER.choose(choices.LAYER.default)
        choices.HEAD.choose(choices.HEAD.default)
        choices.CELL.choose(choices.CELL.default)

    st.selectbox(
        "Model",
        options,
        key=key,
        on_change=heard,
        accept_new_options=True,
        format_func=lambda name: CATALOG[name].title if name in CATALOG else name,
        help="Or type a Hugging Face id such as owner/model, or a folder on this machine. "
        "Weights are read from safetensors; code that comes with a model is never run.",
    )
    if choices.MODEL.value in CATALOG:
        st.caption(plain(CATALOG[choices.MODEL.value].description))


def prompt_control(*, height: int = 120) -> None:
    """The text to read: typed, uploaded, or a sample."""

    def typed() -> None:
        if st.session_state[BOX] != choices.prompt_text():
            choices.choose_text(st.session_state[BOX])

    if st.session_state.get(BOX) != choices.prompt_text():
        st.session_state[BOX] = choices.prompt_text()
    st.text_area(
        "Prompt",
        key=BOX,
        on_change=typed,
        height=height,
        placeholder="Type or paste a text, or pick a sample.",
        help="Ctrl + Enter reads it. Texts longer than the model's limit are cut, and the page "
        "says so.",
    )
    if choices.SAMPLE.value:
        sample = SAMPLES[choices.SAMPLE.value]
        st.caption(plain(f"{sample.title}: {sample.shows}."))


def sample_control() -> None:
    """The samples as buttons to click, with what each of them shows."""
    key = "ask-sample"
    chosen = choices.SAMPLE.value or None
    if st.session_state.get(key) != chosen:
        st.session_state[key] = chosen

    def heard() -> None:
        choices.choose_sample(st.session_state[key] or "")

    st.pills(
        "Samples",
        list(SAMPLES),
        key=key,
        on_change=heard,
        format_func=lambda name: SAMPLES[name].title,
        wrap=True,
    )


def upload_control() -> None:
    """A text file in UTF-8 as the prompt."""

    def heard() -> None:
        given = st.session_state[UPLOAD]
        if given is None:
            return
        try:
            text = given.getvalue().decode("utf-8-sig")
        except UnicodeDecodeError:
            choices.notify("The file is not a text in UTF-8; save it as UTF-8 and try again.")
            return
        choices.choose_text(text[:MOST_CHARACTERS])
        if len(text) > MOST_CHARACTERS:
            choices.notify(
                f"The file has {len(text):,} characters; the first {MOST_CHARACTERS:,} were taken."
            )

    st.file_uploader("A text file (.txt, .md)", type=["txt", "md"], key=UPLOAD, on_change=heard)


def reads_control() -> DeltaGenerator:
    """Reads per query and how they are spent; returns the place for a note on them."""
    st.number_input(
        "Reads per query",
        min_value=1,
        max_value=choices.MOST_READS,
        step=1,
        placeholder="auto",
        help=means(
            "Reads",
            "Near tokens",
            first="On average over all heads; near tokens come on top. Empty: a number that suits "
            "the length of the text.",
        ),
        **choices.READS.widget(),
    )
    note = st.empty()
    st.selectbox(
        "Spend reads",
        list(WAYS),
        format_func=lambda way: WAYS[way],
        help=means("Spending reads"),
        **choices.WAY.widget(),
    )
    return note
