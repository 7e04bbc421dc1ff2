"""The Generate page without a browser: default, empty, refused, linked, written, chatted."""

from __future__ import annotations

import time
from pathlib import Path

from streamlit.testing.v1 import AppTest

from tests.pages.test_start import address, said

ROOT = Path(__file__).parents[2]
SECONDS = 180


def visit(**parameters: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "pages" / "generate.py"), default_timeout=SECONDS)
    for name, value in parameters.items():
        app.query_params[name] = value
    return app.run()


def keys(app: AppTest) -> set[str | None]:
    return {button.key for button in app.button}


def ended(app: AppTest) -> AppTest:
    """Look at the page until nothing runs any more."""
    place = "generate-job-chat" if "generate-reset" in keys(app) else "generate-job-continue"
    until = time.monotonic() + SECONDS
    while app.session_state[place].live:
        assert time.monotonic() < until
        app.session_state[place].wait(0.5)
        app.run()
    return app.run()


def test_without_a_prompt_it_says_what_to_do() -> None:
    app = visit()
    assert "Pick a sample above" in said(app)
    assert address(app) == {}
    assert "generate-write" not in keys(app)


def test_a_model_that_writes_nothing_is_named_and_another_offered() -> None:
    app = visit(model="minilm")
    assert "writes none" in said(app)
    app.button(key="switch-model").click().run()
    assert "Pick a sample above" in said(app)


def test_both_write_on_and_are_compared() -> None:
    app = visit(text="The sea was calm, and the captain", new="3", beta="0.5")
    assert "will go on from these 8 tokens" in said(app)
    app.button(key="generate-write").click().run()
    words = said(ended(app))
    assert words.count("3 of at most 3 tokens") == 2
    assert "times as long per token" in words
    labels = [metric.label for metric in app.metric]
    assert labels.count("Tokens per second") == 2
    assert "Mean KL" in labels and "Same likeliest token" in labels
    assert address(app)["beta"] == "0.5"
    app.slider[0].set_value(4).run()
    assert "before you changed the controls" in said(app)


def test_a_link_restores_the_controls_and_nonsense_is_named() -> None:
    app = visit(
        text="A short text", new="7", temperature="0.5", seed="11", everything="6",
        opens="block", beta="0.75", layer_beta="3:0.25,99:1",
    )  # fmt: skip
    assert "no layer 99" in said(app)
    assert [slider.value for slider in app.slider] == [7, 0.5, 0.75]
    assert [box.value for box in app.number_input] == [11, 6]
    assert address(app)["layer_beta"] == "3:0.25"
    app = visit(text="A short text", new="0", temperature="nan", beta="2", layer_beta="x")
    words = said(app)
    for name in ("new", "temperature", "beta", "layer_beta"):
        assert f"The address says {name}=" in words
    assert address(app) == {"text": "A short text"}


def test_reads_beyond_the_text_are_refused() -> None:
    app = visit(text="A short text", new="3", everything="900")
    app.button(key="generate-write").click().run()
    words = said(app)
    assert "These reads make no sense for this text" in words
    assert "900 reads" in words


def test_a_chat_is_watched_by_the_controller_and_begins_anew() -> None:
    app = visit(view="chat", new="2")
    assert "Ask something below" in said(app)
    app.chat_input[0].set_value("<b>Who</b> are you?").run()
    words = said(ended(app))
    assert "turn 1" in words and "mean β 0.00" in words
    assert "Turn 1" in words
    assert any("<b>Who</b>" in text.value for text in app.text), "what is typed is shown as text"
    app.button(key="generate-reset").click().run()
    assert "Ask something below" in said(app)
