"""How the text is to be continued: length, drawing, reads, and β of every layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from hsa.hyperparameter import bounds
from hsa.inference.writing import Writing
from pages.ui import choices
from pages.ui.plain import plain
from pages.ui.take_away import CAMERA

if TYPE_CHECKING:
    from hsa.models.loaded import LoadedModel

OPENINGS = {
    "query": "Each query for itself",
    "block": "A block of queries together",
    "mixed": "Together, but for heads that look things up",
}
LIMITS = bounds(Writing)
EDITOR = "ask-layer-beta"


def writing() -> Writing:
    """What is chosen now."""
    return Writing(
        most=choices.NEW.value,
        temperature=choices.TEMPERATURE.value,
        seed=choices.SEED.value,
        beta=choices.BETA.value,
        everything=choices.EVERYTHING.value,
        opening=choices.OPENS.value,
        layer_beta=dict(choices.LAYER_BETA.value),
    )


def drawing_controls() -> None:
    """How many tokens, how they are drawn, and who opens."""
    many, warm, seed, opening = st.columns(4)
    with many:
        st.slider(
            "Tokens to write",
            int(LIMITS["most"].low),
            int(LIMITS["most"].high),
            help="At most: a model that ends its text stops sooner.",
            **choices.NEW.widget(),
        )
    with warm:
        st.slider(
            "Temperature",
            LIMITS["temperature"].low,
            LIMITS["temperature"].high,
            step=0.1,
            help=LIMITS["temperature"].help,
            **choices.TEMPERATURE.widget(),
        )
    with seed:
        st.number_input(
            "Seed",
            int(LIMITS["seed"].low),
            int(LIMITS["seed"].high),
            step=1,
            help=f"{LIMITS['seed'].help}; both attentions draw with the same one. At temperature "
            "0 nothing is drawn.",
            **choices.SEED.widget(),
        )
    with opening:
        st.selectbox(
            "Who chooses what is opened",
            list(OPENINGS),
            format_func=lambda name: OPENINGS[name],
            help="A block's choice comes from the queries before it, so that no query sees what "
            "comes later. Some heads choose anew with every query and err when it is shared.",
            **choices.OPENS.widget(),
        )


def reads_and_beta(loaded: LoadedModel, tokens: int) -> None:
    """Everything that a query reads, and how much of every layer is HSA's."""
    from hsa.attention.spending import sensible_everything

    auto = sensible_everything(tokens + choices.NEW.value)
    reads, beta = st.columns(2)
    with reads:
        st.number_input(
            "Everything read by the last query",
            1,
            choices.MOST_READS,
            step=1,
            placeholder=f"auto: {auto}",
            help="Near keys, closed splats and opened tokens together, and the share of choosing "
            "them; mean over heads, at the end of the text. Empty: what suits its length. As many "
            "as tokens: standard attention.",
            **choices.EVERYTHING.widget(),
        )
    with beta:
        st.slider(
            "β: how much is HSA",
            LIMITS["beta"].low,
            LIMITS["beta"].high,
            step=0.05,
            help="output = (1 − β)·standard + β·HSA. At 0 every head attends as it was trained to. "
            "Between 0 and 1 both are computed, and the reads shown are HSA's alone.",
            **choices.BETA.widget(),
        )
    # A label of its own for every state would close it whenever a layer is changed.
    with st.expander("β per layer", expanded=bool(choices.LAYER_BETA.value)):
        _layer_map(loaded.layers)


def _layer_map(layers: int) -> None:
    import pandas as pd

    from hsa.figures.transition import beta_figure

    beyond = [layer for layer, _ in choices.LAYER_BETA.value if layer >= layers]
    if beyond:
        choices.LAYER_BETA.choose(
            tuple(pair for pair in choices.LAYER_BETA.value if pair[0] < layers)
        )
        st.warning(plain(f"This model has no layer {beyond[0]}; its β was left out."))
    now = writing().betas(layers)
    key = f"{EDITOR}-{st.session_state.get(EDITOR, 0)}"

    def heard() -> None:
        pairs = dict(choices.LAYER_BETA.value)
        for layer, change in st.session_state[key]["edited_rows"].items():
            if change.get("β") is None:
                pairs.pop(int(layer), None)
            else:
                pairs[int(layer)] = float(change["β"])
        choices.LAYER_BETA.choose(tuple(sorted(pairs.items())))

    def forget() -> None:
        st.session_state[EDITOR] = st.session_state.get(EDITOR, 0) + 1
        choices.LAYER_BETA.choose(())

    changed = len(choices.LAYER_BETA.value)
    st.caption(
        f"{changed} of {layers} layers differ from the slider."
        if changed
        else "Every layer follows the slider. Change a β in the table to set that layer apart."
    )
    table, figure = st.columns([1, 2])
    with table:
        st.data_editor(
            pd.DataFrame({"layer": range(layers), "β": now}),
            key=key,
            on_change=heard,
            hide_index=True,
            disabled=["layer"],
            height=220,
            column_config={
                "β": st.column_config.NumberColumn(
                    min_value=LIMITS["beta"].low, max_value=LIMITS["beta"].high,
                    step=0.05, format="%.2f",
                )
            },
        )  # fmt: skip
    with figure:
        st.plotly_chart(beta_figure(now), key="beta-layers", config=CAMERA)
        st.button(
            "All layers as the slider says",
            key="forget-layers",
            on_click=forget,
            disabled=not choices.LAYER_BETA.value,
        )
