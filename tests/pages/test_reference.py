"""A pinned reference on the pages, without a browser: pinned, beside, linked, refused, let go."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui.chosen_case import ChosenCase, read, write
from tests.pages.test_compare import address, said

ROOT = Path(__file__).parents[2]
FACT = "model=minilm&sample=fact&way=field"


def visit(page: str, **parameters: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    for name, value in {"model": "minilm", **parameters}.items():
        app.query_params[name] = value
    return app.switch_page(f"pages/{page}.py").run()


def test_explore_pins_colours_by_the_difference_and_lets_go() -> None:
    app = visit("start", sample="fact")
    assert "Reference:" not in said(app)
    app.button(key="pin").click().run()
    assert address(app)["reference"] == FACT and "Reference: “" in said(app)
    app.checkbox(key="ask-difference").check().run()
    assert "This is the reference itself" in said(app)
    app.number_input(key="ask-reads").set_value(4).run()
    words = said(app)
    assert "this case − reference" in words and "This is the reference itself" not in words
    app.button_group[0].set_value("dialogue").run()
    assert "part of a difference is length" in said(app)
    app.button(key="unpin").click().run()
    assert not set(address(app)) & {"reference", "difference"}
    assert "this case − reference" not in said(app)


def test_a_reference_of_another_model_is_refused_with_the_reason() -> None:
    app = visit("start", model="minilm", sample="fact", difference="yes",
                reference=FACT.replace("minilm", "smollm2"))  # fmt: skip
    words = said(app)
    assert "The reference is of another model, smollm2" in words
    assert "this case − reference" not in words
    app.button(key="pin-instead").click().run()
    assert address(app)["reference"] == FACT and "another model" not in said(app)


@pytest.mark.parametrize(
    "nonsense",
    ["fact", "model=minilm&way=field", FACT + "&reads=-1", FACT + "&text=too", FACT + "&x=1",
     "model=minilm&way=field&text=sha256%3A" + 40 * "0"],
)  # fmt: skip
def test_nonsense_for_a_reference_is_a_notice(nonsense: str) -> None:
    app = visit("start", sample="fact", reference=nonsense)
    assert "The address says reference=" in said(app) and "reference" not in address(app)


def test_none_is_no_parameter() -> None:
    readers = (str, str, str, int, str)
    assert write(None) == "" and read("", readers) is None
    own = ChosenCase("m", "", "a&b=c", None, "field")
    assert read(write(own), readers) == own
