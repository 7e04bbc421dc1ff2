"""`python -m hsa bench …`: what it prints, and what it refuses in one line."""

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


def test_attention_prints_json(text: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["bench", "attention", "--text", str(text), "--tokens", "768,512", "--layer", "3"]
    sizes = ["--block", "64", "--splats", "96", "--tokens-read", "128", "--scored", "8"]
    assert main([*arguments, *sizes, "--runs", "1", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["model"], result["layer"], result["texts"]) == ("smollm2", 3, ["story.txt"])
    plan = {"block": 64, "splats": 96, "tokens": 128, "scored": 8}
    assert plan.items() <= result["rows"][0]["plan"].items()
    assert [row["tokens"] for row in result["rows"]] == [512, 768]
    for row in result["rows"]:
        assert row["field"] == "shipped" and row["hsa_peak_bytes"] > 0
        assert 0 < row["error"] < min(row["opened_only_error"], row["window_error"])
        assert row["reads_parts"]["near"] == 4 + 128
    assert "error" in result["protocol"]


def test_attention_prints_a_table(text: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["bench", "attention", "--text", str(text), "--tokens", "512", "--layer", "0"]
    assert main([*arguments, "--runs", "1"]) == 0
    said = capsys.readouterr().out
    assert "speedup" in said and "exact at 512: sdpa_gqa" in said and "shipped" in said


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        (["--tokens", "many"], "--tokens was not understood"),
        (["--tokens", "200"], "needs far keys"),
        (["--tokens", "9000"], "no --fit-text"),
        (["--scored", "9"], "evenly spaced"),
        (["--layer", "30"], "no such layer"),
        (["--runs", "0"], "--runs"),
        (["--model", "minilm"], "causal"),
        (["--tokens", "4096"], "Needed: 4,096 tokens"),
    ],
)
def test_attention_refuses(
    text: Path, extra: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["bench", "attention", "--text", str(text), "--tokens", "512"]
    assert said in refused([*arguments, *extra], capsys)


def test_attention_refuses_to_fit_on_what_it_measures(
    text: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["bench", "attention", "--text", str(text), "--fit-text", str(text)]
    assert "story.txt in both" in refused([*arguments, "--tokens", "9000"], capsys)


def test_what_to_measure_must_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["bench"])
    assert ended.value.code == 2
    assert "WHAT" in capsys.readouterr().err


def test_waits_refuses_a_missing_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert "nowhere.txt" in refused(["bench", "waits", "--text", "nowhere.txt"], capsys)
