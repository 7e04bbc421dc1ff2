"""`python -m hsa …`: what it prints, and what it refuses in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hsa.__main__ import main


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    return said


@pytest.fixture
def text(tmp_path: Path, story: str) -> Path:
    path = tmp_path / "story.txt"
    path.write_text(story, "utf-8")
    return path


def test_fidelity_prints_json(text: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = text.with_suffix(".csv")
    arguments = ["fidelity", "--model", "minilm", "--text", str(text), "--tokens", "128"]
    assert main([*arguments, "--layers", "1", "--reads", "20", "--json", "--csv", str(table)]) == 0
    result = json.loads(capsys.readouterr().out)
    assert set(result) == {"model", "tokens", "heads", "protocol", "methods"}
    assert (result["model"], result["tokens"], result["heads"]) == ("minilm", 128, 12)
    assert set(result["methods"]["hsa"]) == {
        "mean", "median", "worst", "reads", "kl_nats", "total_variation", "multiply_adds",
    }  # fmt: skip
    assert result["protocol"]["text_sha256"] not in result["protocol"]["calibration_sha256"]
    assert len(table.read_text().splitlines()) == 1 + 9 * 12


@pytest.mark.parametrize("content", [b"", b"  \n\t ", b"\xff\xfe\x00bad", b"Three short words."])
def test_fidelity_refuses_texts(
    tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.txt"
    path.write_bytes(content)
    said = refused(["fidelity", "--model", "minilm", "--text", str(path)], capsys)
    assert "bad.txt" in said


def test_fidelity_refuses_a_missing_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert "nowhere.txt" in refused(["fidelity", "--text", "nowhere.txt"], capsys)


def test_fidelity_refuses_a_foreign_field(text: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from hsa.field.shipped import shipped_path

    said = refused(
        ["fidelity", "--model", "minilm", "--text", str(text),
         "--field", str(shipped_path("smollm2"))], capsys,
    )  # fmt: skip
    assert "another model" in said


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        (["--splats", "8,8"], "--splats"),
        (["--out", "field.bin"], ".safetensors"),
        (["--splats", "2,4,9999"], "phrases"),
    ],
)
def test_fit_refuses_settings(
    text: Path, extra: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["fit", "--model", "minilm", "--texts", str(text), "--out", "x.safetensors"]
    assert said in refused([*arguments, *extra], capsys)
