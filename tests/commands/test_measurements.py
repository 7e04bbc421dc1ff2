"""`python -m hsa retrieval`, `layers`, `inside` and `calibrate`: what they print and refuse."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from hsa.__main__ import main
from hsa.field.checkpoint import load_field, save_field
from hsa.field.shipped import shipped_field
from hsa.models.loaded import LoadedModel
from hsa.models.loading import load
from tests.first_layers import field_of_first, first_layers, saved


@pytest.fixture
def text(tmp_path: Path, story: str) -> Path:
    path = tmp_path / "story.txt"
    path.write_text(story, "utf-8")
    return path


@pytest.fixture(scope="module")
def cut(smollm2: LoadedModel, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Two layers of SmolLM2 and what its field has for them: all that these commands print."""
    folder = tmp_path_factory.mktemp("cut")
    model = load(saved(first_layers(smollm2, layers=2), folder / "model"))
    shipped = shipped_field("smollm2", smollm2.fingerprint)
    save_field(field_of_first(shipped, model), folder / "field.safetensors")
    return ["--model", model.name, "--field", str(folder / "field.safetensors")]


def test_retrieval_prints_json(cut: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    small = ["--tokens", "160", "--reads", "40", "--needles", "2", "--per-haystack", "1"]
    assert main(["retrieval", *cut, *small, "--json"]) == 0
    printed = capsys.readouterr()
    result = json.loads(printed.out)
    assert "haystack 2 of 2, hsa" in printed.err
    (row,) = result["rows"]
    assert (row["tokens"], row["reads"], row["needles"], row["haystacks"]) == (160, 40, 2, 2)
    assert row["nearest_keys"] >= 40
    assert set(row["methods"]) == {"standard", "window", "opened_only", "hsa"}
    for name, method in row["methods"].items():
        assert method["fallbacks"] == 0 and method["rate"]["low"] <= method["rate"]["high"]
        assert 1 < method["reads"] < 120 or name == "standard"
        assert sum(part[name]["asked"] for part in row["depths"]) == 2


def test_retrieval_prints_a_table(
    cut: list[str], text: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = ["--tokens", "240", "--reads", "40", "--needles", "1", "--text", str(text)]
    assert main(["retrieval", *cut, *small, "--opening", "block"]) == 0
    said = capsys.readouterr().out
    assert "of what standard finds" in said and "opened_only" in said and "depth" in said


def test_layers_prints_json_and_a_table(
    cut: list[str], text: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = ["layers", *cut, "--text", str(text), "--tokens", "64", "--reads", "40",
             "--layers", "1"]  # fmt: skip
    assert main([*small, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert [row["layer"] for row in result["layers"]] == [1]
    assert sorted(row["head"] for row in result["heads"]) == list(range(9))
    assert main([*small, "--heads", "0"]) == 0
    said = capsys.readouterr().out
    assert "one layer at a time" in said and "one head" not in said


def test_inside_prints_json_and_a_table(
    cut: list[str], text: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = ["inside", *cut, "--text", str(text), "--tokens", "180", "--reads", "45"]
    assert main([*small, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    errors = {name: of["mean"] for name, of in result["methods"].items()}
    assert 0 < errors["hsa"] < 0.5 * errors["opened_only"] < 0.5 * errors["window"]
    assert result["reads"] <= 45
    assert main([*small, "--opening", "block"]) == 0
    said = capsys.readouterr().out
    assert "18 heads, 0 of them exact" in said and "opened_only" in said


def test_calibrate_measures_and_saves(
    minilm: LoadedModel, text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = load(saved(first_layers(minilm, layers=1, positions=96), tmp_path / "model"))
    field, out = tmp_path / "field.safetensors", tmp_path / "again.safetensors"
    shipped = field_of_first(shipped_field("minilm", minilm.fingerprint), model)
    save_field(shipped, field)
    given = ["calibrate", "--model", model.name, "--field", str(field), "--texts", str(text),
             "--out", str(out)]  # fmt: skip
    assert main(given) == 0
    said = capsys.readouterr()
    assert "What reads buy in 96 tokens, layer 0" in said.err
    assert "96 tokens, " in said.out and "exact heads (layer.head)" in said.out
    again = load_field(out, model.fingerprint)
    assert torch.equal(again.heads[0][0].position, shipped.heads[0][0].position)
    assert not torch.equal(again.tilt, shipped.tilt)
    assert [curves.tokens for curves in again.curves] == [64, 96]
    assert [curves.tokens for curves in again.own_curves] == [64, 96]
    assert [source.name for source in again.calibrated_on] == ["story.txt"]
    assert main([*given[:-1], str(tmp_path / "again.bin")]) == 2
    assert "a name ending in .safetensors" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["retrieval", "--tokens", "many"], "--tokens was not understood"),
        (["retrieval", "--device", "abacus"], "abacus"),
        (["retrieval", "--tokens", "9000"], "context"),
        (["retrieval", "--tokens", "400", "--reads", "401"], "reads"),
        (["retrieval", "--tokens", "400", "--needles", "0"], "nothing to find"),
        (["retrieval", "--text", "nowhere.txt"], "nowhere.txt"),
        (["layers", "--text", "TEXT", "--tokens", "96", "--layers", "30"], "0 to 29"),
        (["layers", "--text", "TEXT", "--tokens", "96", "--reads", "0"], "0 reads"),
        (["layers", "--text", "TEXT", "--layers", "x"], "--layers was not understood"),
    ],
)
def test_refusals(
    text: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(text) if word == "TEXT" else word for word in arguments]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and said in told
