"""The compare page without a browser: empty, default, refused, linked; on the real MiniLM."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from hsa.evaluation.without_levels import VARIANTS
from hsa.explanation import pair

ROOT = Path(__file__).parents[2]


def visit(**parameters: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    for name, value in parameters.items():
        app.query_params[name] = value
    return app.switch_page("pages/compare.py").run()


def address(app: AppTest) -> dict[str, str]:
    """The parameters of the address."""
    found = {}
    for name, value in dict(app.query_params).items():
        found[name] = value if isinstance(value, str) else value[-1]
    return found


def said(app: AppTest) -> str:
    """All that the page says in words, Markdown's escapes taken away."""
    assert not app.exception, app.exception
    kinds = (app.info, app.warning, app.error, app.markdown, app.caption, app.subheader)
    return "\n".join(str(part.value).replace("\\", "") for kind in kinds for part in kind)


def factors(app: AppTest) -> list[float]:
    """The numbers of the product that are shown, the weight last."""
    shown = [re.fullmatch(r"#### (-?[\d.e-]+)", str(part.value)) for part in app.markdown]
    return [float(match[1]) for match in shown if match]


def test_without_a_prompt_it_says_what_to_do() -> None:
    assert "Choose a sample or type a prompt" in said(visit(model="minilm"))


def test_a_head_without_a_cell_says_what_to_click() -> None:
    app = visit(model="minilm", sample="dialogue", layer="1", head="4")
    words = said(app)
    assert "layer 1, head 4" in words and "Click a cell in a map" in words
    assert "with the closed splats dropped" in words
    assert app.dataframe[0].value["method"].tolist() == ["HSA", "opened tokens only"]
    assert address(app) == {
        "model": "minilm", "sample": "dialogue", "layer": "1", "head": "4",
    }  # fmt: skip


def test_a_linked_cell_is_taken_apart_and_the_product_multiplies() -> None:
    app = visit(model="minilm", sample="dialogue", layer="2", head="3", cell="9,40", reads="12")
    words = said(app)
    assert "Why query 9 " in words
    assert words.count("✓ passed") == 3 and "failed" not in words
    *shares, weight = factors(app)
    assert len(shares) == 4
    product = shares[0] * shares[1] * shares[2] * shares[3]
    assert product == pytest.approx(weight, rel=2e-3), "but for the digits shown"
    assert "levels of the field" in words and "not by itself an explanation" in words
    assert app.selectbox(key="ask-cell-query").value == 9
    assert app.selectbox(key="ask-cell-key").value == 40


def test_a_product_that_is_not_the_weight_is_said_to_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*given: object) -> pair.PairExplanation:
        right = explain(*given)
        return replace(right, product=right.product * 1.001)

    explain = pair.explain_pair
    monkeypatch.setattr(pair, "explain_pair", wrong)
    words = said(visit(model="minilm", sample="dialogue", layer="2", head="3", cell="9,40"))
    assert words.count("✗") == 1 and words.count("✓ passed") == 2


def test_select_boxes_and_buttons_choose_the_cell() -> None:
    app = visit(model="minilm", sample="fact", layer="2")
    app.selectbox(key="ask-cell-query").set_value(7).run()
    assert "Why query 7 " in said(app), "with the key that differs most"
    app.selectbox(key="ask-cell-key").set_value(2).run()
    assert address(app)["cell"] == "7,2"
    app.button(key="head-after").click().run()
    assert address(app)["head"] == "1" and address(app)["cell"] == "7,2"
    app.button(key="release-cell").click().run()
    assert "cell" not in address(app) and "Click a cell in a map" in said(app)
    app.button(key="worst-row").click().run()
    assert said(app).count("✓ passed") == 3


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"cell": "900,3"}, "no cell of query 900 and key 3"),
        ({"cell": "here"}, "which means nothing here"),
        ({"layer": "99", "head": "98"}, "layer 0, head 0"),
        ({"measure": "beauty", "scale": "steep", "from": "-1"}, "which means nothing here"),
    ],
)
def test_nonsense_in_the_address_is_a_notice(parameters: dict[str, str], expected: str) -> None:
    app = visit(model="minilm", sample="fact", **parameters)
    words = said(app)
    assert expected in words and "Output error of HSA" in words
    assert app.warning
    assert not set(address(app)) & {"cell", "layer", "head", "measure", "scale", "from"}


@pytest.mark.parametrize("measure", ["weight", "contribution"])
@pytest.mark.parametrize("scale", ["linear", "gamma", "log"])
def test_measures_and_scales_are_shown(measure: str, scale: str) -> None:
    app = visit(
        model="minilm", sample="fact", cell="3,9", measure=measure, scale=scale, hide_first="yes"
    )
    assert said(app).count("✓ passed") == 3
    kept = {"measure": measure, "scale": scale}
    assert {name: address(app).get(name) for name in kept} == {
        "measure": None if measure == "weight" else measure,
        "scale": None if scale == "linear" else scale,
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" \n ", "only white space"),
        ("hi", "Every key of this text is near"),
        ("<b>no</b> **markup** :red[x] $x$ ![x](http://a.b) مرحبا 👩‍🚀", "✓ passed"),
    ],
)
def test_odd_texts_are_compared_or_refused_with_a_reason(text: str, expected: str) -> None:
    assert expected in said(visit(model="minilm", text=text, cell="2,1"))


def test_reads_enough_for_all_keys_are_said_to_be_standard_attention() -> None:
    words = said(visit(model="minilm", sample="fact", reads="1000", spend="uniform"))
    assert "No query leaves a splat closed here" in words


def test_strongest_pairs_come_when_they_are_asked_for() -> None:
    app = visit(model="minilm", sample="fact")
    assert len(app.dataframe) == 1
    app.session_state["pairs-open"] = True
    app.run()
    assert not app.exception
    pairs = app.dataframe[-1].value
    assert pairs["weight"].is_monotonic_decreasing
    assert set(pairs["read as"]) <= {"opened", "closed"}, "near keys are left out"


def test_levels_are_switched_off_when_it_is_asked_for() -> None:
    app = visit(model="minilm", sample="dialogue", layer="2", head="3", reads="12")
    assert "Without Sections" not in said(app)
    app.session_state["levels-open"] = True
    app.run()
    words = said(app)
    table = app.dataframe[1].value
    assert table["levels"].tolist() == list(VARIANTS)
    error = dict(zip(table["levels"], table["output_error"], strict=True))
    assert error["all levels"] == pytest.approx(app.dataframe[0].value["output_error"][0], rel=1e-4)
    without, usual = f"{error['without Sections']:.2%}", f"{error['all levels']:.2%}"
    assert f"Without Sections this head errs by {without} in place of {usual}" in words


def test_a_row_is_summed_over_words_chunks_and_sentences() -> None:
    linked = {"model": "minilm", "sample": "dialogue", "layer": "2", "head": "3", "cell": "9,40"}
    app = visit(**linked, reads="12", group="chunk")
    assert "Noun chunks as the parser finds them" in said(app)
    sizes = []
    for kind in ("token", "word", "chunk", "sentence"):
        app.segmented_control(key="ask-group").set_value(kind).run()
        assert address(app).get("group") == (None if kind == "token" else kind)
        assert "sum to: standard 100.000%, HSA 100.000%" in said(app)
        table = app.dataframe[1].value
        assert table["standard"].sum() == pytest.approx(1) == pytest.approx(table["hsa"].sum())
        sizes.append(len(table))
    tokens, words, chunks, sentences = sizes
    assert tokens > words > sentences and tokens > chunks > sentences
    french = "Longtemps, je me suis couché de bonne heure, et mes yeux se fermaient si vite."
    refused = visit(model="minilm", text=french, cell="9,4", group="chunk")
    assert "Chunk is left out. Noun chunks cannot be told in this text" in said(refused)
    assert refused.segmented_control(key="ask-group").options == ["Token", "Word", "Sentence"]
    assert "group" not in address(refused) and "Agreement, row by row" in said(refused)
    refused.segmented_control(key="ask-group").set_value("word").run()
    assert "Words as the tokenizer parts them" in said(refused)
    assert "group" not in address(visit(model="minilm", sample="fact", group="letters"))


def test_attention_flow_comes_by_a_button_and_stays_for_another_query() -> None:
    app = visit(model="minilm", sample="fact", cell="7,2")
    assert "is no explanation of the model" in said(app)
    app.button(key="flow-ask").click().run()
    assert "After 6 layers position 7 " in said(app)
    shares = app.dataframe[-1].value
    assert [name for name in shares if name.startswith("after")] == [
        "after 2 layers", "after 3 layers", "after 6 layers",
    ]  # fmt: skip
    assert shares["after 6 layers"].sum() == pytest.approx(1, abs=1e-5)
    app.selectbox(key="ask-cell-query").set_value(9).run()
    assert "After 6 layers position 9 " in said(app)
