"""Bad input on the pages about splats: said clearly, and the page stands."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from streamlit.testing.v1 import AppTest

from hsa.field.shipped import shipped_field
from hsa.field.splat_field import SplatField
from hsa.models.loaded import LoadedModel
from hsa.specialization import findings_file
from pages.ui import engine
from tests.first_layers import first_layers, saved
from tests.pages.test_compare import address, factors, said

ROOT = Path(__file__).parents[2]


def visit(page: str, **parameters: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=180)
    for name, value in parameters.items():
        app.query_params[name] = value
    return app.switch_page(f"pages/{page}.py").run()


def test_nonsense_in_the_address_is_named_and_left_out() -> None:
    nonsense = {
        "layer": "-1", "head": "x", "splat": "-3", "range": "9..1", "beside": "9.9.9",
        "only": "|||", "levels": "Foo", "shape": "cube", "layout": "tsne", "arranged": "under",
    }  # fmt: skip
    for page in ("atlas", "health", "library"):
        app = visit(page, model="minilm", **nonsense)
        words = said(app)
        for name in nonsense:
            assert f"The address says {name}=" in words, (page, name)
        assert address(app) == {"model": "minilm"}


def test_what_is_readable_but_does_not_exist_is_named() -> None:
    absent = {
        "layer": "999", "head": "99", "beside": "99.99", "paint": "nothing",
        "attribute": "<script>",
    }  # fmt: skip
    app = visit("atlas", model="minilm", **absent)
    words = said(app)
    for told in ("no layer 999", "no head 99", "does not have", "no paint nothing", "<script>"):
        assert told in words
    assert address(app) == {"model": "minilm"}
    app = visit("atlas", model="minilm", attribute="level", only="zzz|Phrase")
    assert "No splat here has zzz as its Level" in said(app)
    assert address(app)["only"] == "Phrase"
    for page, told in (
        ("atlas", "There is no splat"), ("health", "There is no splat"),
        ("functions", "There is no splat"), ("portrait", "does not live in"),
    ):  # fmt: skip
        assert told in said(visit(page, model="minilm", sample="fact", splat="999999999"))


@pytest.mark.parametrize(
    "text",
    ["a", "😀👩‍👩‍👧", "\x01\x02\x1b[31m\x7f", "<script>x</script> **b** $y$ :red[z]",
     "天地玄黄，宇宙洪荒。" * 3, "كان البحر هادئا. " * 4],
)  # fmt: skip
def test_any_text_is_read(text: str) -> None:
    for page in ("atlas", "portrait"):
        app = visit(page, model="minilm", text=text, layer="2", head="11")
        assert not app.exception and not app.error


def test_a_text_of_two_megabytes_is_cut_and_says_so() -> None:
    app = visit("portrait", model="minilm")
    app.text_area(key="ask-prompt").set_value("The wind would rise. " * 100_000).run()
    words = said(app)
    assert "only the first 1,000,000 were looked at" in words
    assert "only the first 256 are read" in words
    assert address(app)["text"].startswith("sha256:")


def test_damaged_findings_take_nothing_else_with_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = (findings_file.FOLDER / "smollm2.safetensors").read_bytes()
    (tmp_path / "smollm2.safetensors").write_bytes(whole[: len(whole) // 2])
    monkeypatch.setattr(findings_file, "FOLDER", tmp_path)
    # Whole findings that another visitor read before are kept, and no damage reaches them.
    monkeypatch.setattr(
        engine, "kept", lambda key, step, make, kept=engine.kept:
        make() if key[0] == "findings" else kept(key, step, make),
    )  # fmt: skip
    asked = {"sample": "fact", "layer": "1", "head": "3"}
    app = visit("compare", **asked, cell="9,4")
    assert "smollm2.safetensors cannot be read" in said(app)
    assert "What splats serve is missing here" in said(app)
    assert factors(app), "the cell is taken apart all the same"
    app = visit("atlas", **asked, splat="100")
    assert said(app).count("What splats serve is missing here") == 1
    assert "function" not in app.selectbox(key="ask-paint").options
    app = visit("portrait", **asked)
    assert "What splats serve is missing here" in said(app)
    assert any("Mass, HSA" in metric.label for metric in app.metric)
    app = visit("functions", layer="1")
    assert "a layer can be measured here" in said(app)
    assert "functions-measure" in {button.key for button in app.button}


def few(field: SplatField, counts: tuple[int, int, int]) -> SplatField:
    """The first splats of each level, below parents that stay."""
    kept, parents = [], []
    for level, count in enumerate(counts):
        above = sum(counts[: max(level - 1, 0)])
        for at in range(count):
            kept.append(field.rows(level).start + at)
            parents.append(above + at % counts[level - 1] if level else -1)
    rows = torch.tensor(kept)
    columns = ("position", "log_spread", "log_amplitude", "level", "splat_id")
    return replace(
        field, parent=torch.tensor(parents),
        **{name: getattr(field, name)[rows] for name in columns},
    )  # fmt: skip


@pytest.mark.parametrize("counts", [(1, 1, 1), (1, 2, 3), (2, 2, 2)])
def test_a_field_of_hardly_any_splats(minilm: LoadedModel, counts: tuple[int, int, int]) -> None:
    whole = shipped_field("minilm", minilm.fingerprint)
    heads = tuple(tuple(few(head, counts) for head in layer) for layer in whole.heads)
    own = engine.named(replace(whole, heads=heads), "from a file")
    for page in ("atlas", "portrait", "compare"):
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=180)
        app.session_state["own-fields"] = {minilm.fingerprint: own}
        for name, value in {"model": "minilm", "sample": "fact", "layer": "1"}.items():
            app.query_params[name] = value
        app.switch_page(f"pages/{page}.py").run()
        assert "opened from a file" in said(app) and not app.error
        if page == "atlas":
            assert f"of {sum(counts)} splats stand out" in said(app)


def test_a_model_without_a_field_is_offered_one_on_every_page(
    minilm: LoadedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved(first_layers(minilm, layers=2), tmp_path / "bare")
    monkeypatch.chdir(tmp_path)
    for page in ("atlas", "portrait", "functions", "health"):
        app = visit(page, model="bare", sample="fact", splat="3")
        assert "No field ships with" in said(app)
        assert "fit-small-field" in {button.key for button in app.button}
