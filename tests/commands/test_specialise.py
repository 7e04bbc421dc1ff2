"""`specialise` and `health` from the command line: measured, written, printed, refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hsa.__main__ import main
from hsa.specialization.findings_file import load_findings

REFERENCE = sorted((Path(__file__).resolve().parents[2] / "assets" / "reference").glob("*.txt"))
TEXTS = ["--texts", *map(str, REFERENCE)]


def test_a_layer_is_measured_printed_and_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "minilm.safetensors"
    small = ["--model", "minilm", "--tokens", "4000", "--layers", "0"]
    assert main(["specialise", *small, *TEXTS, "--out", str(out), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["parsed"] and printed["tests"] > 100 and len(printed["corpus"]) == 4
    assert all(row["q"] <= 0.05 and row["p"] <= 0.05 for row in printed["findings"])
    written = load_findings(out)
    assert written.layers == (0,) and 0 < len(written.layer) <= len(printed["findings"])
    names = {row["function"] for row in printed["findings"]}
    assert names == {one["name"] for one in printed["functions"]}


def test_what_ships_is_printed_and_nothing_else_without_texts(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["specialise"]) == 0
    assert "holds determiners" in capsys.readouterr().out
    assert main(["specialise", "--model", "minilm"]) == 2
    assert "--texts" in capsys.readouterr().err


def test_nonsense_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["specialise", "--model", "minilm", *TEXTS, "--tokens", "3"]) == 2
    assert "at least 64" in capsys.readouterr().err
    refused = ["agreement", "--functions", "telepathy", "--text", str(REFERENCE[0])]
    assert main(refused) == 2
    assert "telepathy" in capsys.readouterr().err


def test_health_of_a_layer(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["health", "--model", "minilm", "--tokens", "2000", "--layers", "0", *TEXTS]
    assert main(asked) == 0
    assert "redundant" in capsys.readouterr().out
    assert main([*asked, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["heads"]) == 12
    assert all(flag["reason"] and flag["action"] for flag in found["flags"])
