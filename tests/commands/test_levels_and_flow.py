"""`python -m hsa levels` and `flow` on MiniLM: every number as JSON, refusals in one line."""

from __future__ import annotations

import json

import pytest

from hsa.__main__ import main
from hsa.evaluation.without_levels import VARIANTS

SENTENCE = "The keeper of the old lighthouse saw a ship, and the ship saw the keeper, too. "


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("levels") / "text.txt"
    path.write_text(3 * SENTENCE, "utf-8")
    return str(path)


def test_levels(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    given = ("levels", "--model", "minilm", "--text", text, "--layer", "2", "--reads", "8")
    assert main([*given, "--heads", "3,4", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [of["head"] for of in told] == [3, 4]
    for of in told:
        variants = of["compared"]["variants"]
        assert [variant["name"] for variant in variants] == list(VARIANTS)
        assert all(sum(v["mass"]) == pytest.approx(1, abs=1e-4) for v in variants)
    assert main([*given, "--heads", "3"]) == 0
    error = told[0]["compared"]["variants"][2]["error"]
    assert f"without Sections   {error:>6.2%}" in capsys.readouterr().out


def test_flow(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    given = ("flow", "--model", "minilm", "--text", text, "--query", "5")
    assert main([*given, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["query"] == 5 and told["depths"] == [2, 3, 6]
    assert [sum(row) for row in told["shares"]] == pytest.approx([1, 1, 1], abs=1e-5)
    assert len(told["shares"][0]) == len(told["strings"])
    assert main([*given]) == 0
    said = capsys.readouterr().out
    assert "after 6 layers" in said and "is no explanation of the model" in said


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("levels", "--layer", "2", "--heads", "50"), "--heads was not understood"),
        (("levels", "--layer", "50"), "no such layer"),
        (("levels", "--layer", "2", "--reads", "0"), "--reads is too small"),
        (("flow", "--query", "500"), "no such position"),
    ],
)
def test_nonsense_is_refused_in_one_line(
    text: str, arguments: tuple[str, ...], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--model", "minilm", "--text", text]) == 2
    said = capsys.readouterr().err
    assert expected in said and said.count("\n") == 1
