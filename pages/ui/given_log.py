"""A log from a file, rebuilt and compared: this visitor may watch its films."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import engine
from pages.ui.adapt_recorded import Film

if TYPE_CHECKING:
    from hsa.adaptation.replay import Fields
    from hsa.sharing.given_file import GivenLog

_KEY, _FILMS = "given-log", "given-log-films"


def fields_before(given: GivenLog) -> Fields:
    """The fields that ship for the log's model.

    Raises:
        FieldError: none ships for it.
    """
    start = given.log.start
    ready = engine.shipped(start.model, start.fingerprint)
    return {
        (layer, group): head
        for layer, heads in enumerate(ready.field.heads)
        for group, head in enumerate(heads)
    }


def use(given: GivenLog) -> None:
    """Offer its films on Adapt."""
    st.session_state[_KEY], st.session_state[_FILMS] = given, {}


def current() -> GivenLog | None:
    """The log whose films are offered."""
    return st.session_state.get(_KEY)


def film(given: GivenLog, layer: int, group: int) -> Film:
    """One head of it; kept in the session, as the log is.

    Raises:
        FieldError: it comes out otherwise than when it was rebuilt.
        InputError: the log has no such head.
    """
    from hsa.adaptation.film import film_of_log
    from pages.ui.player import encode

    films = st.session_state[_FILMS]
    if (layer, group) not in films:
        recording = film_of_log(given.log, fields_before(given), layer, group)
        films[layer, group] = Film(recording, encode(recording))
    return films[layer, group]
