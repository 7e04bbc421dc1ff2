"""The player on a page, without a browser: it mounts, and Python's choice holds."""

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui.player import adaptation_player


def page() -> None:
    import streamlit as st

    from pages.ui.player import adaptation_player
    from tests.pages.ui.recordings import film

    recording = film(steps=st.session_state.get("steps", 8))
    state = adaptation_player(recording, key="film", selected=103, step=2)
    st.text(f"{state.selected} {state.step}")


def shown(app: AppTest) -> str:
    assert not app.exception
    return app.text[0].value


def test_first_state_is_the_one_asked_for():
    assert shown(AppTest.from_function(page).run()) == "103 2"


def test_a_preset_choice_wins_and_holds():
    app = AppTest.from_function(page)
    app.session_state["film"] = {"selected": 106, "step": 5}
    assert shown(app.run()) == "106 5"
    assert shown(app.run()) == "106 5"
    app.session_state["film"] = {"selected": None, "step": 1}
    assert shown(app.run()) == "None 1"


def test_what_is_not_of_this_film_is_nothing():
    for nonsense in (None, "106", 7, {"selected": 1, "step": 99}, {"selected": True, "step": "2"},
                     {"selected": [106], "step": -1}, {"step": 1.5}):  # fmt: skip
        app = AppTest.from_function(page)
        app.session_state["film"] = nonsense
        assert shown(app.run()) == "None 0", nonsense


def test_a_shorter_film_lets_go_of_a_step_outside():
    app = AppTest.from_function(page)
    app.session_state["film"] = {"selected": 103, "step": 7}
    assert shown(app.run()) == "103 7"
    app.session_state["steps"] = 4
    assert shown(app.run()) == "103 0"


def test_nothing_to_show_is_refused():
    with pytest.raises(ValueError, match="needs a recording"):
        adaptation_player(key="film")
