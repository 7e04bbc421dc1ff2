"""The Splat page without a browser: empty, default, linked, dead, and what it does on demand."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.pages.test_compare import address, said

ROOT = Path(__file__).parents[2]
EFFECT = "effect-head"


def visit(**parameters: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    for name, value in {"model": "minilm", **parameters}.items():
        app.query_params[name] = value
    return app.switch_page("pages/portrait.py").run()


def metrics(app: AppTest) -> dict[str, str]:
    return {str(of.label): str(of.value) for of in app.metric}


def holding(app: AppTest, held: bool) -> int:
    """Id of a splat that holds tokens of the prompt, or of one that holds none."""
    box = app.selectbox(key="portrait-splat")
    named = [text for text in box.options if ("no token here" in text) != held]
    return int(named[0].split(":")[0].split()[1])


def test_without_a_prompt_it_says_what_to_do() -> None:
    assert "Choose a sample or type a prompt" in said(visit())


def test_the_heaviest_phrase_is_shown_first_and_the_address_stays_bare() -> None:
    app = visit(sample="dialogue", layer="2", head="3")
    words = said(app)
    assert "Chosen for you" in words and "layer 2, head 3, Phrase" in words
    assert not app.error
    assert address(app) == {"model": "minilm", "sample": "dialogue", "layer": "2", "head": "3"}
    assert metrics(app)["Mass, standard"].endswith("%")
    pairs = next(table.value for table in app.dataframe if "contribution" in table.value)
    assert pairs["standard"].is_monotonic_decreasing and (pairs["read_as"] != "near").all()


def test_a_relative_is_gone_to_and_a_level_chosen() -> None:
    app = visit(sample="dialogue", layer="2", head="3")
    parent = app.selectbox(key="portrait-go").options[0]
    assert parent.startswith("parent: Section")
    section = int(parent.split()[2].rstrip(","))
    app.selectbox(key="portrait-go").select_index(0).run()
    assert f"layer 2, head 3, Section {section}" in said(app)
    assert address(app)["splat"] == str(section)
    assert app.selectbox(key="portrait-go").options[0].startswith("parent: Document")
    app.segmented_control(key="portrait-level").set_value("Document").run()
    assert "head 3, Document" in said(app) and not app.error


def test_another_head_has_other_splats_of_the_same_numbers() -> None:
    app = visit(sample="fact", layer="2", splat="5")
    assert "layer 2, head 0" in said(app) and address(app)["splat"] == "5"
    app.button(key="head-after").click().run()
    assert "Chosen for you" in said(app) and "splat" not in address(app)
    app.selectbox(key="portrait-splat").select_index(3).run()
    chosen = address(app)["splat"]
    app.selectbox(key="ask-head").set_value(0).run()
    assert "splat" not in address(app) and chosen
    app.run()
    assert "layer 2, head 0" in said(app)


def test_a_linked_splat_that_died_is_said_and_a_way_on_offered() -> None:
    app = visit(sample="fact", layer="2", splat="99999")
    assert "Splat 99999 does not live in layer 2, head 0" in said(app)
    assert not app.metric, "nothing is shown of it"
    app.button(key="portrait-heaviest").click().run()
    assert "Chosen for you" in said(app) and app.metric
    assert "splat" not in address(app)


def test_a_splat_without_a_token_of_this_prompt_says_so_and_shows_its_family() -> None:
    empty = holding(visit(sample="fact", layer="2"), held=False)
    app = visit(sample="fact", layer="2", splat=str(empty))
    words = said(app)
    assert f"Phrase {empty} holds no token of this prompt" in words and "Its family" in words
    assert "0" in [number for label, number in metrics(app).items() if "Tokens" in label]
    assert app.selectbox(key="portrait-go").options
    assert not [button for button in app.button if button.key == EFFECT]


def test_counterfactuals_come_when_they_are_asked_for_and_stay() -> None:
    app = visit(sample="dialogue", layer="2", head="3")
    before = len(app.dataframe)
    app.button(key=EFFECT).click().run()
    words = said(app)
    assert "predicts no next token" in words, "MiniLM has no output head"
    table = app.dataframe[before].value.set_index("case")
    removed = table.loc["removed, under HSA"]
    assert removed.head_change > 0 and removed.layer_change > 0
    assert (table.error_before.iloc[1:] == table.error_before.iloc[1]).all()
    app.run()
    assert not app.exception and len(app.dataframe) == before + 1, "a rerun shows it again"


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"splat": "-3"}, "which means nothing here"),
        ({"splat": "x", "layer": "77"}, "layer 0, head 0"),
        ({"text": "hi"}, "No query left it closed"),
        ({"text": "<b>no</b> **x** :red[x] $x$ مرحبا 👩‍🚀"}, "Its family"),
    ],
)
def test_odd_links_and_texts_are_shown_or_said(parameters: dict[str, str], expected: str) -> None:
    given = parameters if "text" in parameters else {"sample": "fact", **parameters}
    words = said(visit(**given))
    assert expected in words


def test_a_log_is_told_where_it_is_at_hand_and_missed_where_not() -> None:
    app = visit(sample="fact", layer="2")
    app.session_state["portrait-lineage"] = True
    app.run()
    assert "No log is at hand" in said(app)
