"""Which splats stand out: by level, by what they hold, and by the value of an attribute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from pages.ui import choices
from pages.ui.atlas_view import AtlasView
from pages.ui.plain import plain
from pages.ui.take_away import CAMERA

if TYPE_CHECKING:
    from hsa.atlas.attributes import Attribute

HISTOGRAM = "atlas-histogram"
LOW, HIGH = "ask-range-low", "ask-range-high"


def pick_levels() -> None:
    """Which levels stand out."""
    from hsa.field.splat_field import LEVELS

    key = "ask-levels"
    shown = list(choices.LEVELS.value)
    if st.session_state.get(key) != shown:
        st.session_state[key] = shown

    def heard() -> None:
        chosen = st.session_state[key]
        choices.LEVELS.choose(tuple(level for level in LEVELS if level in chosen))

    st.pills("Levels", LEVELS, selection_mode="multi", key=key, on_change=heard)


def pick_token(view: AtlasView) -> None:
    """Search by what splats hold; says how many tokens and splats were found."""
    key = "ask-find"
    if st.session_state.get(key) != choices.FIND.value:
        st.session_state[key] = choices.FIND.value
    found = tokens_found(view)
    st.text_input(
        "Search tokens", key=key, max_chars=100,
        on_change=lambda: choices.FIND.choose(st.session_state[key].strip()),
        placeholder="a piece of a token", disabled=view.asked is None,
        help="Splats that hold such a token of the prompt stand out. Needs a prompt."
    )  # fmt: skip
    if choices.FIND.value and view.asked is not None:
        splats = int((_holding(view, found) & (view.atlas.level == 2).numpy()).sum())
        tokens = "1 token" if len(found) == 1 else f"{len(found):,} tokens"
        st.caption(f"{tokens} in {splats:,} {'Phrase' if splats == 1 else 'Phrases'}")


def tokens_found(view: AtlasView) -> np.ndarray:
    """Positions of the tokens that hold what is searched for; capitals do not matter."""
    wanted = choices.FIND.value.casefold()
    if not wanted or view.asked is None:
        return np.zeros(0, dtype=np.int64)
    strings = view.asked.tokens.strings
    return np.array([at for at, token in enumerate(strings) if wanted in token.casefold()],
                    dtype=np.int64)  # fmt: skip


def stands_out(view: AtlasView, *, in_range: bool = True) -> np.ndarray:
    """Which splats stand out, row by row.

    Args:
        in_range: by the range of values too.
    """
    from hsa.field.splat_field import LEVELS

    levels = [LEVELS.index(level) for level in choices.LEVELS.value]
    shown = np.isin(view.atlas.level.numpy(), levels)
    if choices.FIND.value and view.asked is not None:
        shown &= _holding(view, tokens_found(view))
    return shown & _within(view.atlas.attribute(choices.ATTRIBUTE.value)) if in_range else shown


def _holding(view: AtlasView, tokens: np.ndarray) -> np.ndarray:
    """Splats of any level that hold one of these tokens."""
    assert view.marks is not None
    marks = view.marks
    own = np.unique(marks.splat[np.isin(marks.token, tokens) & (marks.is_query == 0)])
    holding = np.zeros(view.atlas.splats, dtype=bool)
    parent = view.atlas.parent.numpy()
    while len(own):
        holding[own] = True
        own = np.unique(parent[own])
        own = own[own >= 0]
    return holding


def _within(attribute: Attribute) -> np.ndarray:
    if not attribute.numeric:
        only = choices.ONLY.value
        return np.array([not only or name in only for name in attribute.names])
    span = choices.RANGE.value
    values = attribute.numbers.numpy()
    if span is None:
        return np.ones(len(values), dtype=bool)
    # To the digits that the address holds.
    edge = 1e-5 * max(abs(span[0]), abs(span[1]))
    return (values >= span[0] - edge) & (values <= span[1] + edge)


def keep_names_sound(view: AtlasView) -> None:
    """Let go of names chosen that no splat here has: they would hide every splat."""
    attribute = view.atlas.attribute(choices.ATTRIBUTE.value)
    if attribute.numeric or not choices.ONLY.value:
        return
    known = set(attribute.categories())
    lost = [name for name in choices.ONLY.value if name not in known]
    if lost:
        choices.ONLY.choose(tuple(name for name in choices.ONLY.value if name in known))
        names = ", ".join(name[:60] for name in lost[:5]) + (", …" if len(lost) > 5 else "")
        st.warning(plain(f"No splat here has {names} as its {attribute.title}; it was let go."))


def histogram(view: AtlasView) -> None:
    """How an attribute is spread; dragging over it, or numbers beside it, choose a range."""
    named = {attribute.name: attribute for attribute in view.atlas.attributes}
    key = "ask-attribute"
    if st.session_state.get(key) != choices.ATTRIBUTE.value:
        st.session_state[key] = choices.ATTRIBUTE.value

    def heard() -> None:
        _all_values()
        choices.ATTRIBUTE.choose(st.session_state[key])

    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox("How this is spread", list(named), key=key, on_change=heard, width=260,
                     format_func=lambda name: named[name].title)  # fmt: skip
        attribute = named[choices.ATTRIBUTE.value]
        if attribute.numeric:
            _numbers(attribute)
        else:
            _names(attribute)
        st.button("All values", key="atlas-all-values", on_click=_all_values,
                  disabled=choices.RANGE.value is None and not choices.ONLY.value)  # fmt: skip
    st.caption(plain(attribute.meaning))
    _chart(view, attribute)


def _all_values() -> None:
    choices.RANGE.choose(None)
    choices.ONLY.choose(())


def _numbers(attribute: Attribute) -> None:
    values = attribute.numbers
    known = values[values.isfinite()]
    if not len(known):
        return
    low, high = choices.RANGE.value or (float(known.min()), float(known.max()))
    for name, value in ((LOW, low), (HIGH, high)):
        if st.session_state.get(name) != value:
            st.session_state[name] = value

    def heard() -> None:
        span = sorted((st.session_state[LOW], st.session_state[HIGH]))
        choices.RANGE.choose((float(span[0]), float(span[1])))

    for label, name in (("From", LOW), ("to", HIGH)):
        st.number_input(label, key=name, on_change=heard, format="%.4g", width=150)


def _names(attribute: Attribute) -> None:
    options = attribute.categories()
    key = "ask-only"
    shown = [name for name in choices.ONLY.value if name in options]
    if st.session_state.get(key) != shown:
        st.session_state[key] = shown
    st.multiselect(
        "Only", options, key=key, placeholder="all", width=380,
        on_change=lambda: choices.ONLY.choose(tuple(st.session_state[key])),
    )  # fmt: skip


def _chart(view: AtlasView, attribute: Attribute) -> None:
    from hsa.figures.atlas import histogram_figure, value_of

    def dragged() -> None:
        selection: Any = st.session_state[HISTOGRAM].selection
        if attribute.numeric and selection.box:
            ends = sorted(value_of(float(end), attribute) for end in selection.box[0]["x"])
            choices.RANGE.choose((ends[0], ends[1]))
        elif not attribute.numeric and selection.points:
            names = [attribute.categories()[point["point_index"]] for point in selection.points]
            choices.ONLY.choose(tuple(dict.fromkeys(names)))

    st.plotly_chart(
        histogram_figure(attribute, stands_out(view)),
        key=HISTOGRAM,
        on_select=dragged,
        selection_mode=("points", "box") if not attribute.numeric else "box",
        config=CAMERA | {"modeBarButtonsToRemove": ["zoom2d", "pan2d", "lasso2d"]},
    )  # fmt: skip
