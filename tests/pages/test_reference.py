"""A pinned reference on the pages, without a browser: pinned, beside, linked, refused, let go."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui import engine
from pages.ui.chosen_case import ChosenCase, read, write
from pages.ui.engine import ReadyField
from tests.pages.test_atlas import fingerprint
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


def moved_field() -> ReadyField:
    """The shipped field of MiniLM with one splat of layer 2 moved, and another one's id lost."""
    shipped = engine.shipped("minilm", fingerprint()).field
    head = shipped.heads[2][0]
    position = head.position.clone()
    position[-1] += 1.0
    splat_id = head.splat_id.clone()
    splat_id[-1] = 99_999
    changed = replace(head, position=position, splat_id=splat_id)
    layers = list(shipped.heads)
    layers[2] = (changed, *layers[2][1:])
    return engine.named(replace(shipped, heads=tuple(layers)), "adapted here")


def test_a_splat_is_set_beside_itself_in_another_prompt() -> None:
    app = visit("portrait", sample="fact", layer="2", head="3", splat="0")
    app.button(key="pin").click().run()
    assert "This is the reference itself" in said(app)
    app.button_group(key="ask-sample").set_value("dialogue").run()
    words = said(app)
    assert (
        "Beside the pinned reference" in words and "a difference is this case − reference" in words
    )
    pairs = next(of.value for of in app.dataframe if "this case" in of.value)
    of = pairs.set_index("number").loc["Tokens of the text"]
    case, other = int(of["this case"]), int(of["reference"])
    assert case != other and of["difference"] == f"{case - other:+d}"
    assert not app.error


def test_a_field_of_ones_own_stays_in_the_session_and_may_lack_the_splat() -> None:
    own = moved_field()
    head = engine.shipped("minilm", fingerprint()).field.heads[2][0]
    lost = int(head.splat_id[-1])
    app = visit("portrait", sample="fact", layer="2", splat=str(lost))
    app.session_state["own-fields"] = {own.field.fingerprint: own}
    app.run()
    app.button(key="portrait-heaviest").click().run()
    app.button(key="pin").click().run()
    assert "reference" not in address(app) and "a field adapted here" in said(app)
    app.button(key="own-field-leave").click().run()
    assert "read through different fields" in said(app)
    app.session_state["chosen-splat"] = lost
    app.run()
    assert f"The reference's field has no splat {lost}" in said(app)
    stranger = visit("portrait", sample="fact", layer="2", splat=str(lost))
    assert "Reference:" not in said(stranger) and stranger.button(key="pin")


TEXT = "The cat sat on the mat, and the dog lay by the door until the rain had gone away again."


def test_a_head_is_compared_in_numbers_maps_and_the_chosen_row() -> None:
    app = visit("compare", text=TEXT, layer="2", head="3", reads="4", cell="20,3")
    app.button(key="pin").click().run()
    assert "This is the reference itself" in said(app)
    app.number_input(key="ask-reads").set_value(9).run()
    words = said(app)
    assert "Both read the same tokens" in words and "**0** in standard attention" in words
    assert "What answers query 20 in both" in words
    pairs = next(of.value for of in app.dataframe if "this case" in of.value)
    of = pairs.set_index("number").loc["Reads per query"]
    apart = float(of["this case"]) - float(of["reference"])
    assert float(of["difference"]) == pytest.approx(apart, abs=0.11)
    app.text_area(key="ask-prompt").set_value(TEXT.replace("cat", "cow")).run()
    assert "tokens is not the same (position 2)" in said(app)
    app.text_area(key="ask-prompt").set_value(TEXT + " And then?").run()
    words = said(app)
    assert "No map of differences" in words and "½ Σ of the differences" not in words
    app.button(key="unpin").click().run()
    assert "Beside the pinned reference" not in said(app)


def test_two_fields_on_one_prompt_have_a_map() -> None:
    own = moved_field()
    app = visit("compare", sample="fact", layer="2", head="0", reference=FACT)
    app.session_state["own-fields"] = {own.field.fingerprint: own}
    app.run()
    words = said(app)
    assert "read through different fields" in words and "Both read the same tokens" in words
    assert "**0** in standard attention" in words


def test_blocks_and_a_reference_of_another_model() -> None:
    app = visit("compare", sample="dialogue", layer="2", opening="block", reads="12",
                reference=FACT)  # fmt: skip
    words = said(app)
    assert "No map of differences" in words and "Mass: closed Phrases" in str(
        next(of.value for of in app.dataframe if "this case" in of.value)
    )
    app = visit("compare", sample="fact", reference=FACT.replace("minilm", "smollm2"))
    assert "The reference is of another model" in said(app)


def test_a_link_says_what_it_lacks_of_a_reference() -> None:
    long = "A cat sat. " * 60
    app = visit("portrait", text=long)
    app.button(key="pin").click().run()
    app.button_group(key="ask-sample").set_value("fact").run()
    link = json.loads(app.get("bidi_component")[0].proto.json)
    assert len(link["caveats"]) == 1 and "pinned reference is too long" in link["caveats"][0]
    assert not link["bundle"], "a bundle holds no reference either"
    elsewhere = visit("portrait", sample="fact", reference=address(app)["reference"])
    assert "Reference: “A cat sat. A cat sat." in said(elsewhere)
