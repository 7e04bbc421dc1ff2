"""`python -m hsa portrait` on MiniLM: every number as JSON, and refusals in one line."""

from __future__ import annotations

import json

import pytest

from hsa.__main__ import main

SENTENCE = "The keeper of the old lighthouse saw a ship, and the ship saw the keeper, too. "


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("portrait") / "text.txt"
    path.write_text(3 * SENTENCE, "utf-8")
    return str(path)


def portrait(text: str, *arguments: str) -> int:
    given = ("--model", "minilm", "--text", text, "--layer", "2", "--head", "3", "--reads", "12")
    return main(["portrait", *given, *arguments])


def test_json_holds_the_portrait_and_its_effect(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert portrait(text, "--effect", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    shown = told["portrait"]
    assert sum(shown["received_standard"]) == pytest.approx(shown["mass_standard"])
    assert sum(shown["distance_profile"]["hsa"]) == pytest.approx(shown["mass_hsa"])
    assert shown["splat_id"] in told["splats"]["splat_id"] and shown["lineage"] is None
    assert [of["case"] for of in told["effects"]] == [
        "removed from standard", "closed", "removed", "replaced",
    ]  # fmt: skip
    assert told["effects"][0]["layer"]["total"] > 0
    assert told["next_token"] is None, "MiniLM predicts no next token"
    assert "output" not in told["counterfactual"]["alternatives"][0]
    assert portrait(text, "--splat", str(shown["splat_id"])) == 0
    said = capsys.readouterr().out
    assert f"Phrase {shown['splat_id']}" in said and "no log at hand" in said


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--splat", "99999"), "no such splat"),
        (("--head", "50"), "no such head"),
        (("--tokens", "0"), "--tokens is too small"),
        (("--reads", "0"), "--reads is too small"),
    ],
)
def test_nonsense_is_refused_in_one_line(
    text: str, arguments: tuple[str, ...], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert portrait(text, *arguments) == 2
    said = capsys.readouterr().err
    assert expected in said and said.count("\n") == 1
