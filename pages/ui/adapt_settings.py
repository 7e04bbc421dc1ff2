"""Settings of an adaptation: presets, and a widget for every hyperparameter from its own bounds."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.ui import kept
from pages.ui.plain import plain

if TYPE_CHECKING:
    from hsa.adaptation.settings import AdaptationSettings
    from hsa.hyperparameter import Bounds

PRESETS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "gentle": (
        "Gentle", "few edits at a time and small steps, so that less has to be rolled back",
        {"birth_rate": 0.006, "mitosis_rate": 0.012, "merge_rate": 0.015, "death_rate": 0.006,
         "drift_rate": 0.5, "drift_share": 0.1, "tokens_per_text": 1024, "held_tokens": 1024,
         "every_tokens": 64},
    ),
    "standard": ("Standard", "as `python -m hsa adapt` does, for texts of some length", {}),
    "quick": (
        "Quick", "short texts, an event after each, and one in three held to judge on",
        {"tokens_per_text": 512, "every_tokens": 0, "hold_every": 3, "held_tokens": 512,
         "patience": 2},
    ),
    "prune": (
        "Prune", "fewer splats event by event, to seven tenths in the end",
        {"pruned_to": 0.7, "least": 0.7, "horizon": 8, "birth_rate": 0.0, "mitosis_rate": 0.01,
         "merge_rate": 0.08, "death_rate": 0.05, "patience": 1, "tokens_per_text": 1024,
         "held_tokens": 1024, "every_tokens": 64},
    ),
}  # fmt: skip
GROUPS = {
    "Reading and judging": ("every", "tokens_per", "held", "hold", "queries", "keys", "rehearsal",
                            "history", "forgetting", "seed"),
    "How much changes": ("birth_rate", "mitosis_rate", "merge_rate", "death_rate", "drift",
                         "section_rate", "document_rate", "warm_up", "horizon"),
    "What must be shown, and how many splats": ("",),
}  # fmt: skip
"""Beginnings of names; the last group takes whatever is left."""

DEFAULT = "gentle"


def settings_controls() -> AdaptationSettings | None:
    """Ask for settings; None, and said why, where they make no sense."""
    from hsa.adaptation.settings import SCHEDULES, AdaptationSettings
    from hsa.errors import HSAError
    from hsa.hyperparameter import bounds
    from pages.ui.refusals import show

    _preset()
    known: dict[str, Any] = {of.name: of.default for of in fields(AdaptationSettings)}
    preset = PRESETS[kept.value("adapt-preset", DEFAULT)][2]
    start = {**known, **preset}
    changed = {
        name: kept.value(f"adapt-{name}", first)
        for name, first in start.items()
        if kept.value(f"adapt-{name}", first) != first
    }
    off = [kind for kind in known["rules"] if not kept.value(f"adapt-rule-{kind}", True)]
    with st.expander("Rules and settings"):
        _rules()
        st.selectbox(
            "Schedule of drift", SCHEDULES, width=220,
            format_func=lambda name: name.replace("_", " "),
            help="Constant, or falling over the horizon as half a cosine or with the root of the "
            "events; each after its warm-up.",
            **kept.widget("adapt-schedule", start["schedule"]),
        )  # fmt: skip
        left = dict(bounds(AdaptationSettings))
        for title, beginnings in GROUPS.items():
            names = [name for name in left if name.startswith(beginnings)]
            st.markdown(f"**{title}**")
            _numbers({name: left.pop(name) for name in names}, start)
        if changed or off:
            st.button("All as the preset says", key="adapt-forget", on_click=_forget)
    if changed or off:
        told = [f"{name.replace('_', ' ')} {value:g}" if isinstance(value, int | float)
                else f"{name} {value}" for name, value in changed.items()]  # fmt: skip
        st.caption(plain("Changed: " + ", ".join([*told, *(f"no {kind}" for kind in off)]) + "."))
    given = {**start, **changed}
    given["rules"] = tuple(kind for kind in known["rules"] if kind not in off)
    if not given["rules"]:
        st.warning("Every rule is switched off, so nothing could ever change. Switch one on.")
        return None
    try:
        return AdaptationSettings(**given)
    except HSAError as refusal:
        show(refusal)
        return None


def _preset() -> None:
    def heard() -> None:
        kept.keep("adapt-preset", st.session_state["ask-adapt-preset"])
        _forget()

    st.segmented_control(
        "Preset", list(PRESETS), format_func=lambda name: PRESETS[name][0], required=True,
        **{**kept.widget("adapt-preset", DEFAULT), "on_change": heard},
    )  # fmt: skip
    title, meaning, _ = PRESETS[kept.value("adapt-preset", DEFAULT)]
    st.caption(f"{title}: {meaning}.")


def _rules() -> None:
    from hsa.adaptation.edit import KINDS

    st.markdown("**Rules**")
    with st.container(horizontal=True):
        for kind in KINDS:
            st.checkbox(kind.capitalize(), **kept.widget(f"adapt-rule-{kind}", True))


def _numbers(allowed: dict[str, Bounds], start: dict[str, Any]) -> None:
    for at, (name, limit) in enumerate(allowed.items()):
        if at % 4 == 0:
            row = st.columns(4)
        kind = int if isinstance(start[name], int) else float
        said = not limit.unit or limit.unit in name
        unit = "" if said else f" ({limit.unit})"
        with row[at % 4]:
            st.number_input(
                plain(f"{name.replace('_', ' ').capitalize()}{unit}"),
                kind(limit.low), kind(limit.high),
                step=1 if kind is int else _step(start[name] or limit.high / 10),
                format=None if kind is int else "%g",
                help=plain(
                    f"{limit.help.capitalize()}. From {limit.low:g} to {limit.high:g}; "
                    f"{start[name]:g} unless you change it."
                ),
                **kept.widget(f"adapt-{name}", kind(start[name])),
            )  # fmt: skip


def _step(value: float) -> float:
    """A click changes the last digit but one of a number of this size."""
    return 10.0 ** (math.floor(math.log10(value)) - 1)


def _forget() -> None:
    """Let go of all that was changed by hand."""
    from hsa.adaptation.edit import KINDS
    from hsa.adaptation.settings import AdaptationSettings

    for name in (of.name for of in fields(AdaptationSettings)):
        st.session_state.pop(f"kept-adapt-{name}", None)
    for kind in KINDS:
        st.session_state.pop(f"kept-adapt-rule-{kind}", None)
