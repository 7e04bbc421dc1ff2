"""Any prompt read with the field before the run and after it, at the same reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import adapt_run, choices, engine, inputs
from pages.ui.adapt_maps import maps
from pages.ui.plain import plain
from pages.ui.refusals import refusals
from pages.ui.take_away import file_button, in_file_name
from pages.ui.waiting import waiting

if TYPE_CHECKING:
    from hsa.evaluation.adapted import TextErrors
    from hsa.models.loaded import LoadedModel
    from hsa.tokens import Tokens
    from pages.ui.adapt_run import Run

MOST_TOKENS = 512


def gain(loaded: LoadedModel) -> None:
    """Errors of the adapted heads, and the maps of one of them."""
    run = adapt_run.current()
    if run is None or run.after is None:
        going = run is not None and run.going
        st.info(
            "The run goes on; when it has ended, the field before and after it is compared here."
            if going
            else "There is nothing to compare yet. Adapt the field to some texts first."
        )
        st.button("Adapt to texts", type="primary", key="gain-run", on_click=choices.PART.choose,
                  args=("run",))  # fmt: skip
        return
    if run.loaded.fingerprint != loaded.fingerprint:
        st.info(plain(f"The last run was of {run.loaded.title}; choose that model to compare."))
        return
    inputs.sample_control()
    inputs.prompt_control(height=100)
    text = choices.prompt_text()
    if not text:
        st.info("Pick a sample above, or type a text and press Ctrl + Enter.")
        return
    with refusals():
        tokens = _first(loaded, text)
    if len(tokens) < 2:
        st.info("One token sees only itself: both fields answer alike. Type a sentence.")
        return
    with refusals(), waiting() as progress:
        progress("Reading the prompt with both fields", None)
        found = _errors(run, tokens)
    _table(run, found, len(tokens))
    with refusals():
        maps(run, tokens)


def _first(loaded: LoadedModel, text: str) -> Tokens:
    from hsa.fitting.windows import first_tokens

    tokens = engine.tokens(loaded, text)
    if len(tokens) > MOST_TOKENS:
        st.caption(f"The first {MOST_TOKENS} of {len(tokens):,} tokens are read.")
    return first_tokens(tokens, MOST_TOKENS)


def _errors(run: Run, tokens: Tokens) -> TextErrors:
    from hsa.evaluation.adapted import text_errors

    after = run.outcome()
    layers = sorted({layer for layer, _ in run.heads})

    def make() -> TextErrors:
        fields = {"before": run.ready.field, "after": after.field}
        return text_errors(run.loaded, fields, tokens, layers=layers)

    key = ("gain", run.loaded.fingerprint, run.ready.identity, after.identity, tokens.ids,
           tuple(layers))  # fmt: skip
    return engine.kept(key, "Both fields on a prompt", make)


def _table(run: Run, found: TextErrors, count: int) -> None:
    from hsa.figures import adaptation_files as files

    heads = run.heads
    means = {title: found.mean(name, heads) for name, title in files.GAINED.items()}
    with st.container(horizontal=True):
        st.metric("Error before", f"{means['before']:.2%}", width=180,
                  help="Relative output error of HSA against standard attention, over the last "
                  "queries of the prompt, mean over the heads that were adapted.")  # fmt: skip
        change = means["after"] / means["before"] - 1 if means["before"] > 0 else 0.0
        st.metric("Error after", f"{means['after']:.2%}", f"{change:+.1%}", width=180,
                  delta_color="inverse", help="The same with the adapted field.")  # fmt: skip
        st.metric("Splats off", f"{means['splats off']:.2%}", width=180,
                  help="The same tokens opened, closed splats dropped.")  # fmt: skip
    st.caption(
        f"{count:,} tokens; every field reads {found.reads:.1f} splats or far tokens a query, mean "
        "over the heads of these layers."
    )
    percent = st.column_config.NumberColumn(format="percent")
    st.dataframe(
        files.gain_table(found, heads), hide_index=True,
        column_config=dict.fromkeys(means, percent),
    )  # fmt: skip
    name = f"{in_file_name(run.loaded.name)}-before-after"
    with st.popover("Download"):
        file_button("Before and after (CSV)", f"{name}.csv", lambda: files.gain_csv(found, heads))
        file_button("Errors of all query heads (NPZ)", f"{name}.npz",
                    lambda: files.gain_npz(found))  # fmt: skip
