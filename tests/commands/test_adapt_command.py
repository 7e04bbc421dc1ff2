"""`hsa adapt` and `hsa replay`: figures, log and field, and what they refuse."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hsa.__main__ import main

SMALL = ["--set", "tokens_per_text=192", "every_tokens=0", "hold_every=2", "held_queries=16",
         "queries=8", "keys_kept=1024"]  # fmt: skip


@pytest.fixture
def texts(tmp_path: Path, story: str) -> Path:
    folder = tmp_path / "texts"
    folder.mkdir()
    for n in range(4):
        (folder / f"{n}.txt").write_text(story[1200 * n : 1200 * (n + 1)], "utf-8")
    return folder


def test_adapts_tests_and_replays(
    texts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out" / "adapted.safetensors"
    given = ["adapt", "--texts", str(texts), "--layers", "4", "--heads", "1", "--out", str(out),
             "--test", str(texts / "3.txt"), "--first-domain", str(texts / "2.txt"), "--json",
             *SMALL]  # fmt: skip
    assert main(given) == 0
    result = json.loads(capsys.readouterr().out)
    assert {"before", "after", "fitted_on_prompt", "splats_off", "gap_closed", "reads",
            "first_domain_before", "first_domain_after",
            "first_domain_rise_interval"} <= result.keys()  # fmt: skip
    assert result["held_before"] > 0 and result["held_after"] > 0
    assert {"birth", "mitosis", "merge", "death", "rolled_back"} <= result["events"].keys()
    log = out.with_suffix(".log")
    assert main(["replay", str(log), "--verify", "--json"]) == 0
    replayed = json.loads(capsys.readouterr().out)
    assert replayed["verified_steps"] == 4 and replayed["finished"]
    assert main(["replay", str(log), "--verify", "--field", str(out)]) == 2
    assert "another field" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--set", "wings=2"], "wings"),
        (["--set", "birth_rate=often"], "often"),
        (["--set", "hold_every=1"], "hold every"),
        (["--without", "fission"], "fission"),
        (["--layers", "99"], "0 to 29"),
        (["--heads", "x"], "0 to 2"),
    ],
)
def test_refuses_what_it_cannot_do(
    texts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], says: str
) -> None:
    out = tmp_path / "adapted.safetensors"
    assert main(["adapt", "--texts", str(texts), "--out", str(out), *more]) == 2
    assert says in capsys.readouterr().err
    assert not out.exists()
