"""`python -m hsa quantise`: a smaller file that says what it costs, and refusals before it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hsa.__main__ import main
from hsa.field.checkpoint import load_field
from hsa.field.shipped import shipped_field, shipped_path
from hsa.models.loaded import LoadedModel


@pytest.fixture
def text(tmp_path: Path, story: str) -> Path:
    path = tmp_path / "story.txt"
    path.write_text(story, "utf-8")
    return path


def test_the_shipped_field_in_eight_bits(
    minilm: LoadedModel, text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "minilm-int8.safetensors"
    shipped = shipped_path("minilm").read_bytes()
    arguments = ["quantise", "--model", "minilm", "--out", str(out), "--text", str(text)]
    assert main([*arguments, "--tokens", "128", "--layers", "1,4", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["bytes_after"] == sum(path.stat().st_size for path in out.parent.iterdir())
    assert said["bytes_after"] < 0.8 * said["bytes_before"]
    error = said["error"]
    assert (error["tokens"], error["layers"]) == (128, 2)
    assert 0 < error["mean_before"] < 0.5
    assert error["added"] == pytest.approx(error["mean_after"] - error["mean_before"])
    assert abs(error["added"]) < 0.1 * error["mean_before"]
    assert shipped_path("minilm").read_bytes() == shipped

    found = load_field(out, minilm.fingerprint).heads[2][3]
    before = shipped_field("minilm", minilm.fingerprint).heads[2][3]
    apart = (found.position - before.position).square().sum().sqrt()
    centred = before.position - before.position.mean(0)
    assert 0 < float(apart / centred.square().sum().sqrt()) < 0.02


def test_without_a_text_it_says_the_sizes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "minilm-int8.safetensors"
    assert main(["quantise", "--model", "minilm", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert said.count("\n") == 1
    assert "MB before" in said and "%" in said
    assert out.is_file()


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        (["--out", "field.bin"], ".safetensors"),
        (["--tokens", "4096"], "too short"),
        (["--tokens", "12"], "at least 64"),
        (["--layers", "one"], "--layers"),
        (["--text", "nowhere.txt"], "nowhere.txt"),
    ],
)
def test_refusals_come_before_the_file(
    text: Path, extra: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = text.with_name("out.safetensors")
    text.write_text("Just these words, and then some more. " * 20, "utf-8")
    arguments = ["quantise", "--model", "minilm", "--out", str(out), "--text", str(text)]
    assert main([*arguments, "--tokens", "128", *extra]) == 2
    assert said in capsys.readouterr().err
    assert not out.exists()


def test_a_field_is_never_written_over_itself(capsys: pytest.CaptureFixture[str]) -> None:
    shipped = shipped_path("minilm")
    before = shipped.read_bytes()
    for extra in ([], ["--field", str(shipped)]):
        assert main(["quantise", "--model", "minilm", "--out", str(shipped), *extra]) == 2
        assert "written over itself" in capsys.readouterr().err
    assert shipped.read_bytes() == before
