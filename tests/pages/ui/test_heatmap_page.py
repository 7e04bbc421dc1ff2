"""The figure on a page, without a browser: it mounts, and Python's choice of cell holds."""

from streamlit.testing.v1 import AppTest


def page() -> None:
    import numpy as np
    import streamlit as st

    from pages.ui.heatmap import Panel, linked_heatmaps

    size = st.session_state.get("size", 6)
    tokens = [f"t{at}" for at in range(size)]
    panel = Panel("Standard", np.eye(size, dtype=np.float32), "sequential", "weight")
    cell = linked_heatmaps([panel], tokens, tokens, selected=(4, 2), key="map")
    st.text(f"cell={cell}")


def shown(app: AppTest) -> str:
    assert not app.exception
    return app.text[0].value


def test_first_cell_is_the_one_asked_for():
    assert shown(AppTest.from_function(page).run()) == "cell=(4, 2)"


def test_preset_cell_wins_and_holds():
    app = AppTest.from_function(page)
    app.session_state["map"] = [5, 1]
    assert shown(app.run()) == "cell=(5, 1)"
    assert shown(app.run()) == "cell=(5, 1)"
    app.session_state["map"] = None
    assert shown(app.run()) == "cell=None"


def test_a_cell_that_is_not_of_this_matrix_is_no_cell():
    for nonsense in ((6, 0), (-1, 0), "3,3", (1, 2, 3), (1.5, 2), (True, 0), {"at": 1}):
        app = AppTest.from_function(page)
        app.session_state["map"] = nonsense
        assert shown(app.run()) == "cell=None", nonsense


def test_a_shorter_prompt_lets_go_of_a_cell_outside():
    app = AppTest.from_function(page).run()
    app.session_state["size"] = 3
    assert shown(app.run()) == "cell=None"
