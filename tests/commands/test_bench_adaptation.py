"""`hsa bench adaptation` and `hsa bench rules`: costs, and every rule off in turn."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from hsa.__main__ import main
from hsa.evaluation.adaptation_variants import paired_draws
from tests.commands.test_adapt_command import SMALL


def test_measures_each_rule_switched_off(
    tmp_path: Path, story: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for n in range(5):
        (tmp_path / f"{n}.txt").write_text(story[1200 * n : 1200 * (n + 1)], "utf-8")
    texts = [str(tmp_path / f"{n}.txt") for n in range(4)]
    given = ["bench", "rules", "--texts", *texts, "--test", str(tmp_path / "4.txt"),
             "--keep", texts[0], "--layers", "4", "--heads", "0,2", *SMALL]  # fmt: skip
    assert main(given) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["variants"]) == 7
    for name, of in found["variants"].items():
        low, high = of["interval"]
        assert low <= of["more"] <= high
        rule = name.removeprefix("without ")
        if rule != name:
            assert of["accepted"][rule] == 0
    everything = found["variants"]["all rules"]
    assert everything["more"] == 0
    closed = (found["before"] - everything["error"]) / (found["before"] - found["own"])
    assert everything["closed"] == pytest.approx(closed)


def test_what_errs_twice_as_much_everywhere_does_so_in_every_draw() -> None:
    errors = torch.rand(5, 12, generator=torch.Generator().manual_seed(0), dtype=torch.double)
    assert torch.allclose(paired_draws(2 * errors, errors), torch.ones(1, dtype=torch.double))


def test_adapting_is_timed_beside_forward_passes_and_measured(
    tmp_path: Path, story: str, capsys: pytest.CaptureFixture[str]
) -> None:
    texts, test = tmp_path / "texts.txt", tmp_path / "test.txt"
    texts.write_text((story * (1 + 28_000 // len(story)))[:28_000], "utf-8")
    test.write_text(story[:1500], "utf-8")
    given = ["bench", "adaptation", "--texts", str(texts), "--test", str(test), "--count", "3",
             "--layers", "4", *SMALL]  # fmt: skip
    assert main(given) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["texts"] == 3 and found["tokens"] == 3 * 192 and found["events"] > 0
    assert found["share"] == pytest.approx(found["adapting_seconds"] / found["forward_seconds"])
    assert found["held_before"] > 0 and found["before"] > 0 and found["splats_off"] > 0
