"""The start page without a browser: default, empty, refused and linked."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from hsa.field import shipped
from hsa.models.loaded import LoadedModel
from pages.ui import choices
from pages.ui.chosen_case import ChosenCase
from pages.ui.samples import SAMPLES, sample_text
from tests.first_layers import first_layers, saved

ROOT = Path(__file__).parents[2]


def visit(**parameters: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    for name, value in parameters.items():
        app.query_params[name] = value
    return app.run()


def address(app: AppTest) -> dict[str, str]:
    """The parameters of the address."""
    found = {}
    for name, value in dict(app.query_params).items():
        found[name] = value if isinstance(value, str) else value[-1]
    return found


def said(app: AppTest) -> str:
    """All that the page says in words, Markdown's escapes taken away."""
    assert not app.exception, app.exception
    kinds = (app.info, app.warning, app.error, app.markdown, app.caption)
    return "\n".join(str(part.value).replace("\\", "") for kind in kinds for part in kind)


def test_the_first_page_is_empty_and_says_what_to_click() -> None:
    app = visit()
    assert "Pick a sample" in said(app)
    assert address(app) == {}


@pytest.mark.parametrize("sample", ["fact", "languages"])
def test_a_sample_is_read_by_every_head(sample: str) -> None:
    app = visit(model="minilm")
    app.button_group[0].set_value(sample).run()
    assert "Over 72 heads" in said(app)
    assert app.text_area[0].value == sample_text(sample)
    assert address(app)["sample"] == sample


def test_every_sample_has_a_text() -> None:
    assert all(sample_text(name).strip() for name in SAMPLES)
    assert len(list((ROOT / "assets" / "prompts").glob("*.txt"))) == len(SAMPLES)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("   \n ", "only white space"),
        ("a", "3 tokens"),
        ("<b>no</b> **markup** ![x](http://a.b)", "Over 72 heads"),
        ("مرحبا بالعالم 👩‍🚀", "Over 72 heads"),
    ],
)
def test_odd_texts_are_read_or_refused_with_a_reason(text: str, expected: str) -> None:
    app = visit(model="minilm", text=text)
    assert expected in said(app) + "".join(part.label for part in app.expander)


def test_a_text_beyond_the_limit_is_cut_and_the_page_says_so() -> None:
    app = visit(model="minilm")
    app.text_area[0].set_value("whale ship " * 10_000).run()
    assert "only the first 256" in said(app)
    digest = address(app)["text"]
    assert digest.startswith("sha256:")
    assert "only the first 256" in said(visit(model="minilm", text=digest))


def test_nul_is_left_out_and_named() -> None:
    app = visit(model="minilm")
    app.text_area[0].set_value("one \0 two three").run()
    words = said(app)
    assert "Over 72 heads" in words
    assert "NUL was left out" in words
    assert "NUL was left out" in said(visit(model="minilm", text="one \0 two three"))


def test_halves_of_characters_are_replaced_and_named() -> None:
    def page() -> None:
        import streamlit as st

        from pages.ui import choices

        choices.restore()
        choices.choose_text("one \ud83d two")
        st.text(choices.prompt_text())
        st.text(choices.notices()[0])

    app = AppTest.from_function(page).run()
    assert not app.exception
    assert app.text[0].value == "one \ufffd two"
    assert "halves are shown as" in app.text[1].value


def test_a_model_that_does_not_exist_is_refused() -> None:
    app = visit(model="no such model!", text="hello there")
    assert "neither a known model, nor a folder here" in said(app)


def test_a_link_full_of_nonsense_falls_back_with_notices() -> None:
    app = visit(
        model="minilm", sample="fact", layer="x", head="-1", reads="1e9", spend="money",
        cell="1", scale="huge", hide_first="perhaps", measure="none",
    )  # fmt: skip
    words = said(app)
    for name in ("layer", "head", "reads", "spend", "cell", "scale", "hide_first", "measure"):
        assert f"The address says {name}=" in words
    assert "Over 72 heads" in words
    assert address(app) == {"model": "minilm", "sample": "fact"}


def test_a_layer_that_this_model_lacks_falls_back() -> None:
    app = visit(model="minilm", sample="fact", layer="99", head="400", colour="hue")
    words = said(app)
    for name in ("layer 99", "head 400", "colour hue"):
        assert f"There is no {name} here" in words


def test_a_link_restores_what_was_chosen() -> None:
    app = visit(model="minilm", sample="fact", layer="3", head="5", reads="7", spend="uniform")
    said(app)
    chosen = {box.label: box.value for box in app.selectbox}
    assert (chosen["Layer"], chosen["Head"], chosen["Spend reads"]) == (3, 5, "uniform")
    assert app.number_input[0].value == 7


def test_reads_change_the_numbers() -> None:
    app = visit(model="minilm", sample="fact")
    before = app.metric[0].value
    app.number_input[0].set_value(3).run()
    assert app.metric[0].value != before
    assert address(app)["reads"] == "3"


def test_select_boxes_choose_the_head() -> None:
    app = visit(model="minilm", sample="fact")
    next(box for box in app.selectbox if box.label == "Layer").set_value(4).run()
    assert address(app)["layer"] == "4"
    assert "layer 4, head 0" in said(app)
    app.button(key="worst-head").click().run()
    assert app.button(key="worst-head").disabled


def test_a_damaged_field_is_named_and_a_small_one_is_offered(
    minilm: LoadedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a model with one layer of twelve real heads, for all of it is fitted while we wait."""
    saved(first_layers(minilm, layers=1), tmp_path / "cut")
    for suffix in (".safetensors", ".json"):
        content = (shipped.FOLDER / f"minilm{suffix}").read_bytes()
        (tmp_path / f"cut{suffix}").write_bytes(content)
    (tmp_path / "cut.safetensors").write_bytes(b"damaged")
    monkeypatch.setattr(shipped, "FOLDER", tmp_path)
    monkeypatch.chdir(tmp_path)
    app = visit(model="cut", sample="fact")
    assert "truncated, edited or damaged" in said(app)
    assert "Over 12 heads" not in said(app)
    app.button(key="fit-small-field").click().run()
    words = said(app)
    assert "fitted here" in words
    assert "Over 12 heads" in words


def test_the_grid_of_a_long_text_waits_for_a_click() -> None:
    app = visit(sample="moby-long")
    assert "Start when you are ready" in said(app)
    assert not app.metric


def test_notices_go_with_the_next_choice() -> None:
    app = visit(model="minilm", sample="fact", layer="x")
    assert app.warning
    app.number_input[0].set_value(9).run()
    assert not app.warning


def test_every_choice_survives_its_own_parameter() -> None:
    values = {
        "model": "owner/model", "sample": "fact", "text": "a text", "reads": 12,
        "spend": "per_query", "layer": 3, "head": 2, "colour": "reads", "scale": "log",
        "hide_first": True, "measure": "contribution", "cell": (4, 2), "from": 64,
        "view": "chat", "new": 7, "temperature": 0.7, "seed": 3, "everything": 40,
        "opening": "block", "opens": "mixed", "beta": 0.25, "layer_beta": ((0, 1.0), (3, 0.5)),
        "part": "run", "film": (18, 2), "step": 6, "splat": 715, "function": "comma",
        "beside": ((3, 0), (18, 2)), "arranged": "over", "shape": "icicle", "layout": "pca",
        "paint": "mass", "attribute": "keys", "range": (0.25, 4.0), "only": ("one", "two"),
        "levels": ("Section",), "find": "whale",
        "reference": ChosenCase("owner/model", "", "a & text = b%", 12, "per_query"),
        "difference": True, "group": "sentence",
    }  # fmt: skip
    assert set(values) == {choice.name for choice in choices.ALL}
    for choice in choices.ALL:
        value = values[choice.name]
        assert value != choice.default, choice.name
        assert choice.read(choice.write(value)) == value, choice.name
