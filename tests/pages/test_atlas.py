"""The atlas without a browser: empty, default, refused, linked; on the real MiniLM."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from streamlit.testing.v1 import AppTest

from hsa.field.model_field import ModelField
from hsa.field.splat_field import SplatField
from pages.ui import atlas_attributes, engine

ROOT = Path(__file__).parents[2]


def visit(run: bool = True, **parameters: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    for name, value in {"model": "minilm", **parameters}.items():
        app.query_params[name] = value
    app = app.switch_page("pages/atlas.py")
    return app.run() if run else app


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


def table(app: AppTest):
    """The table of splats that stand out: the last one, for the card has another."""
    return app.dataframe[-1].value


def names(app: AppTest) -> list[str]:
    return list(app.selectbox(key="ask-paint").options)


def test_without_a_prompt_the_field_alone_is_shown() -> None:
    app = visit()
    words = said(app)
    assert "Click a splat" in words and "232 of 232 splats stand out" in words
    assert "is being laid out" in words and "Choose a prompt in the side bar" in words
    assert names(app) == ["Level", "Spread", "Prior share", "Children"]
    assert table(app)["level"].value_counts().to_dict() == {
        "Phrase": 192, "Section": 32, "Document": 8,
    }  # fmt: skip
    assert address(app) == {"model": "minilm"}


def test_a_prompt_brings_mass_keys_and_errors_and_a_splat_its_card() -> None:
    app = visit(sample="dialogue", layer="2", head="3", layout="pca", paint="mass")
    assert names(app)[-1] == "Error in this prompt, query head 3"
    shown = table(app)
    for level in ("Document", "Section", "Phrase"):
        own = shown[shown.level == level]
        assert own["mass"].sum() == pytest.approx(1, abs=1e-4)
        assert own["keys"].nunique() > 1 and (own["error"] > 0).any()
    busiest = shown[shown.level == "Section"].sort_values("mass").iloc[-1]
    box = app.selectbox(key="ask-splat")
    option = next(at for at in box.options if at.startswith(f"Section {busiest.id} ·"))
    app = box.set_value(box.options.index(option)).run()
    assert address(app)["splat"] == str(busiest.id)
    assert app.subheader[0].value == f"Section {busiest.id}"
    metrics = {metric.label: metric.value for metric in app.metric}
    assert metrics["Keys here"] == f"{int(busiest['keys']):,}"
    assert metrics["Mass here"] == f"{busiest['mass']:.3%}"
    held = app.dataframe[0].value
    assert held["mass"].is_monotonic_decreasing and len(held) == min(8, busiest["keys"])
    app.button(key="atlas-release").click().run()
    assert "splat" not in address(app) and "Click a splat" in said(app)


def test_a_linked_splat_is_shown_and_another_head_lets_it_go() -> None:
    app = visit(layer="1", head="2", splat="17", layout="pca")
    assert app.subheader[0].value == "Section 17"
    app.button(key="atlas-head-after").click().run()
    assert address(app)["head"] == "3" and "splat" not in address(app)
    assert "Click a splat" in said(app) and not app.warning


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"splat": "999"}, "There is no splat 999 in layer 0, key/value head 0"),
        ({"splat": "-3", "levels": "Chapter", "range": "2..1", "beside": "a"}, "means nothing"),
        ({"paint": "beauty", "attribute": "virtue"}, "There is no paint beauty here"),
        ({"beside": "99.0,0.1"}, "names heads that all-MiniLM-L6-v2 does not have"),
        ({"layer": "99"}, "There is no layer 99 here"),
    ],
)
def test_nonsense_in_the_address_is_a_notice(parameters: dict[str, str], expected: str) -> None:
    app = visit(layout="pca", **parameters)
    assert expected in said(app) and app.warning
    assert address(app).keys() <= {"model", "layout", "beside"}
    assert "stand out" in said(app)


def test_levels_search_and_range_filter_the_table() -> None:
    app = visit(sample="dialogue", layout="pca", levels="Phrase", find="the")
    words = said(app)
    hits = re.search(r"(\d+) tokens in (\d+) Phrases", words)
    assert hits is not None and f"{hits[2]} of 232 splats stand out" in words
    shown = table(app)
    assert set(shown.level) == {"Phrase"} and len(shown) == int(hits[2])
    assert (shown["keys"] >= 1).all()
    app.text_input(key="ask-find").set_value("").run()
    assert len(table(app)) == 192 and "find" not in address(app)
    app.selectbox(key="ask-attribute").set_value("keys").run()
    app.number_input(key="ask-range-low").set_value(2.0).run()
    kept = table(app)
    assert 0 < len(kept) < 192 and (kept["keys"] >= 2).all()
    assert address(app)["range"].startswith("2..")
    app.pills(key="ask-levels").set_value([]).run()
    assert "0 of 232 splats" in said(app)
    app.pills(key="ask-levels").set_value(["Phrase"]).run()
    app.selectbox(key="ask-attribute").set_value("level").run()
    assert "range" not in address(app) and len(table(app)) == 192
    app.multiselect(key="ask-only").set_value(["Section"]).run()
    assert "0 of 232 splats stand out" in said(app), "no Phrase is a Section"
    app.button(key="atlas-all-values").click().run()
    assert len(table(app)) == 192


def test_other_heads_beside_it() -> None:
    app = visit(sample="fact", layer="2", layout="pca", beside="2.1,0.3", arranged="over")
    assert "696 of 696 splats stand out" in said(app)
    shown = table(app)
    assert shown.groupby(["layer", "head"]).size().to_dict() == {
        (0, 3): 232, (2, 0): 232, (2, 1): 232,
    }  # fmt: skip
    # Errors are measured for the query head chosen alone.
    assert shown[shown.layer == 2].groupby("head")["error"].count().to_dict() == {0: 232, 1: 0}


def test_in_longer_texts_errors_are_measured_when_they_are_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(atlas_attributes, "ERROR_UNASKED", 10)
    app = visit(sample="dialogue", layout="pca")
    assert names(app)[-1].startswith("Error") and table(app)["error"].isna().all()
    app.selectbox(key="ask-paint").set_value("error").run()
    assert (table(app)["error"] > 0).any() and address(app)["paint"] == "error"


@pytest.mark.parametrize("shape", ["icicle", "sunburst"])
def test_the_hierarchy_is_another_shape(shape: str) -> None:
    app = visit(sample="fact", layout="pca", shape=shape, paint="mass", splat="3")
    assert "areas are prior shares" in said(app) and len(app.get("plotly_chart")) == 2
    assert len(app.subheader) == 1 and address(app)["shape"] == shape


def tiny(field: SplatField, splats: int) -> SplatField:
    """The first Document with, at most, one Section and one Phrase of its own."""
    section = int((field.parent == 0).nonzero()[0])
    phrase = int((field.parent == section).nonzero()[0])
    rows = torch.tensor([0, section, phrase][:splats])
    return SplatField(
        field.frame, field.position[rows], field.log_spread[rows], field.log_amplitude[rows],
        field.level[rows], torch.tensor([-1, 0, 1][:splats]), field.splat_id[rows],
    )  # fmt: skip


def with_own_field(field: ModelField, **parameters: str) -> AppTest:
    """A visit with a field of the visitor's own."""
    app = visit(run=False, **parameters)
    own = engine.named(field, "adapted here")
    app.session_state["own-fields"] = {field.fingerprint: own}
    return app.run()


@pytest.mark.parametrize("splats", [1, 2, 3])
def test_heads_of_one_two_and_three_splats_have_an_atlas(splats: int) -> None:
    shipped = engine.shipped("minilm", fingerprint()).field
    head = tiny(shipped.heads[0][0], splats)
    few = replace(shipped, heads=tuple(tuple(head for _ in layer) for layer in shipped.heads))
    prompt = {"sample": "fact"} if splats == 3 else {}
    app = with_own_field(few, splat=str(int(head.splat_id[-1])), **prompt)
    words = said(app)
    assert f"of {splats} the principal components show all" in words
    assert "is being laid out" not in words
    assert f"{splats} of {splats} splats stand out" in words and len(app.subheader) == 1


def fingerprint() -> str:
    """Of the model that the shipped field is of, as the field's file says."""
    described = (ROOT / "assets/fields/minilm.json").read_text("utf-8")
    return json.loads(described)["fingerprint"]
