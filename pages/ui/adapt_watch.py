"""The film of one head's adaptation, and the history of the splat that was clicked in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import adapt_recorded, adapt_run, choices, given_log
from pages.ui.adapt_export import IMAGE, curves_to_keep, film_downloads
from pages.ui.adapt_recorded import Film
from pages.ui.plain import plain
from pages.ui.refusals import refusals, show

if TYPE_CHECKING:
    from hsa.adaptation.recording import Recording

PLAYER = "adapt-film"
SOURCE = "adapt-source"
SOURCES = {"own": "Your run", "given": "From a file", "recorded": "The recorded one"}
GIVEN = "From a log that you opened; every step was rebuilt and compared with its checksum."
AXES = (
    "Every mark is a splat: squares Documents, diamonds Sections, discs Phrases, larger with a "
    "larger prior share. Across and up are the two principal axes of all positions that ever "
    "stood in this head's field; they are fitted once, so what moves on the map moved in the field."
)
EVIDENCE = (
    "What the texts told of it, blended with what earlier ones did: exact attention on the far "
    "keys that it holds, and what its closed answer moved outputs by. Held texts tell nothing."
)
NEXT = "Press play or drag the step; click an event to go to it, or a splat for its history."


def watch() -> None:
    """The visitor's own film where there is one, or the recorded one."""
    run = adapt_run.current()
    given = given_log.current()
    sources = ["recorded"]
    if given is not None:
        sources.insert(0, "given")
    if run is not None and run.records:
        sources.insert(0, "own")
    source = _pick_source(sources) if len(sources) > 1 else "recorded"
    if source == "own" and run is not None:
        if run.going:
            st.caption(
                f"The run goes on; this is the film of its first {run.number:,} texts. Choose "
                "the film again for what came since."
            )
        heads = run.heads
        _film(heads, lambda layer, group: run.film(layer, group), run.about)
        return
    if source == "given" and given is not None:
        heads = [(layer, group) for layer, group, _ in given.log.start.heads]
        _film(heads, lambda layer, group: given_log.film(given, layer, group), GIVEN)
        return
    with refusals():
        log = adapt_recorded.recorded_log()
    heads = [(layer, group) for layer, group, _ in log.start.heads]
    _film(
        heads,
        lambda layer, group: adapt_recorded.recorded_film(log, layer, group),
        adapt_recorded.ABOUT,
    )


def _pick_source(sources: list[str]) -> str:
    chosen = st.session_state.get(SOURCE)
    st.session_state[SOURCE] = chosen if chosen in sources else sources[0]
    st.segmented_control(
        "Film", sources, format_func=lambda name: SOURCES[name], key=SOURCE, required=True,
        label_visibility="collapsed", on_change=_rewind,
    )  # fmt: skip
    return st.session_state[SOURCE]


def show_own() -> None:
    """From its beginning, the film of the visitor's own run."""
    show_source("own")


def show_source(source: str) -> None:
    """From its beginning, the film of this source."""
    _rewind()
    st.session_state[SOURCE] = source
    choices.PART.choose("watch")


def _rewind() -> None:
    st.session_state.pop(PLAYER, None)
    choices.FILM.choose(None)
    choices.STEP.choose(0)
    choices.SPLAT.choose(None)


def _film(heads: Sequence[tuple[int, int]], make: Callable[[int, int], Film], about: str) -> None:
    from hsa.errors import HSAError

    layer, group = _pick_head(heads)
    st.caption(plain(f"{about} {AXES}") + f" **{NEXT}**")
    try:
        shown = make(layer, group)
    except HSAError as refusal:
        # The rest of the page needs no film.
        show(refusal)
        return
    _player(shown)


def _pick_head(heads: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """One of the heads that were adapted."""
    if choices.FILM.value not in (None, *heads):
        got = choices.FILM.value
        st.warning(plain(f"This film has no layer {got[0]}, key/value head {got[1]}."))
        choices.FILM.choose(None)
    now = choices.FILM.value or heads[0]
    key = "ask-film"
    if st.session_state.get(key) != now:
        st.session_state[key] = now

    def heard() -> None:
        _rewind()
        choices.FILM.choose(st.session_state[key])

    st.selectbox(
        "Head", list(heads), key=key, on_change=heard, width=260,
        format_func=lambda head: f"layer {head[0]}, key/value head {head[1]}",
    )  # fmt: skip
    return now


@st.fragment
def _player(shown: Film) -> None:
    from pages.ui.player import adaptation_player

    # First of all from a link; later the player knows better.
    first = {"selected": choices.SPLAT.value, "step": choices.STEP.value}
    state = adaptation_player(key=PLAYER, blob=shown.blob, height=460, **first)
    if state.step != choices.STEP.value:
        choices.STEP.choose(state.step)
    if state.selected != choices.SPLAT.value:
        choices.SPLAT.choose(state.selected)
    _history(shown.recording, state.selected, state.step)
    curves_to_keep(shown.recording, state.step)
    film_downloads(shown, state.step)


def _history(recording: Recording, selected: int | None, step: int) -> None:
    from hsa.adaptation.film_words import history
    from hsa.figures.adaptation import evidence_figure

    if selected is None:
        return
    with st.container(border=True):
        st.markdown(f"**What happened to splat {selected}**")
        st.markdown("\n".join(f"- {plain(told)}" for told in history(recording, selected)))
        figure = evidence_figure(recording, selected, step)
        if figure is not None:
            st.caption(EVIDENCE)
            st.plotly_chart(figure, key="adapt-evidence", config=IMAGE["SVG"])
