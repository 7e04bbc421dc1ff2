"""`python -m hsa explain` on MiniLM with a field seeded here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from hsa.__main__ import main
from hsa.field.checkpoint import save_field
from hsa.field.model_field import ModelField
from hsa.field.seeding import seed_field
from hsa.field.splat_field import SplatField
from hsa.field.statistics import KeyReservoir
from hsa.models.capture import capture
from hsa.models.loaded import LoadedModel


@pytest.fixture(scope="module")
def files(
    tmp_path_factory: pytest.TempPathFactory, minilm: LoadedModel, story: str
) -> dict[str, Path]:
    """A text, and a field of all layers whose splats come from another part of it."""
    folder = tmp_path_factory.mktemp("explain")
    text, field = folder / "text.txt", folder / "field.safetensors"
    text.write_text(story, "utf-8")
    generator = torch.Generator().manual_seed(0)
    heads: list[tuple[SplatField, ...]] = []
    found = capture(minilm, minilm.tokenize(story[3000:]))
    for layer in range(minilm.layers):
        reservoir = KeyReservoir(500, generator)
        reservoir.add(found[layer])
        pairs = zip(reservoir.sample(), reservoir.query_moment(), strict=True)
        heads.append(tuple(seed_field(k, m, (3, 8, 30), generator, 2) for k, m in pairs))
    shape = (minilm.layers, minilm.query_heads, 3)
    save_field(
        ModelField(
            "minilm", minilm.fingerprint, 256, tuple(heads), torch.full(shape, 0.75),
            torch.ones(shape), (), "uniform", (), (), (), 0,
        ),
        field,
    )  # fmt: skip
    return {"text": text, "field": field}


def explain(files: dict[str, Path], *arguments: str) -> int:
    given = ("--model", "minilm", "--field", str(files["field"]), *arguments)
    if "--prompt" not in arguments:
        given += ("--text", str(files["text"]))
    return main(["explain", *given])


def test_check_prints_maxima_and_closed_rows(
    files: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert explain(files, "--check", "--layers", "0,5", "--pairs", "300", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["passed"] and report["limit"] == 1e-5
    every, drawn = report["texts"]
    assert (every["what"], every["tokens"], every["layers"]) == ("every pair", 128, 2)
    assert every["check"]["pairs"] == 2 * 12 * 128 * 128
    assert (drawn["what"], drawn["tokens"]) == ("random pairs", 256)
    assert 295 <= drawn["check"]["pairs"] <= 300
    for part in (every, drawn):
        assert all(0 < part["check"][name] <= 1e-5 for name in ("product", "row_sum", "output"))
        assert min(part["check"]["closed_rows"]) > 0
    assert explain(files, "--check", "--layers", "0", "--reads", "9") == 0
    printed = capsys.readouterr().out
    assert "passed" in printed and "9 in every head" in printed
    assert "closed Document" in printed


def test_a_failed_check_says_so(
    files: dict[str, Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hsa.explanation.checks.LIMIT", 1e-12)
    assert explain(files, "--check", "--layers", "0", "--tokens", "60") == 1
    assert "FAILED" in capsys.readouterr().out


def test_a_pair_a_row_and_the_top_pairs(
    files: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    where = ("--tokens", "100", "--layer", "3", "--head", "2", "--reads", "8")
    assert explain(files, *where, "--query", "40", "--key", "9", "--json") == 0
    pair = json.loads(capsys.readouterr().out)
    product = pair["token_share"]
    for level in pair["path"]:
        product *= level["share"]
    assert product == pytest.approx(pair["weight"], rel=1e-5)
    assert (pair["layer"], pair["head"], pair["query"], pair["key"]) == (3, 2, 40, 9)

    assert explain(files, *where, "--query", "40", "--json") == 0
    row = json.loads(capsys.readouterr().out)
    assert sum(member["weight"] for member in row["members"]) == pytest.approx(1, abs=1e-5)

    assert explain(files, *where, "--json") == 0
    top = json.loads(capsys.readouterr().out)
    assert len(top["pairs"]) == 5
    assert explain(files, *where) == 0 and explain(files, *where, "--query", "40") == 0
    assert "D·S·P·t" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--key", "3"), "--key needs --query"),
        (("--query", "4000"), "no such query"),
        (("--query", "3", "--head", "12"), "no such head"),
        (("--check", "--layers", "9"), "no such layer"),
        (("--check", "--layers", "first"), "not understood"),
        (("--layer", "6"), "layer"),
        (("--tokens", "1"), "too small"),
        (("--prompt", "   "), "white space"),
        (("--prompt", "Hello there", "--query", "1", "--key", "99"), "no such key"),
    ],
)
def test_nonsense_is_refused_in_one_line(
    files: dict[str, Path],
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    message: str,
) -> None:
    assert explain(files, *arguments) == 2
    said = capsys.readouterr().err.strip()
    assert message in said and "\n" not in said


def test_a_short_prompt_is_explained(
    files: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert explain(files, "--prompt", "The whale swam away.", "--query", "2", "--key", "4") == 0
    assert "A_ij" in capsys.readouterr().out
