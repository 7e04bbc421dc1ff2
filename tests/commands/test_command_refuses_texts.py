"""Commands refuse, in one line and with exit code 2, what memory is too small for."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from hsa.__main__ import main
from hsa.memory.available import OWN_LIMIT
from hsa.models.loading import load

PROMPTS = Path(__file__).parents[2] / "assets" / "prompts"
SHORT = str(PROMPTS / "moby-short.txt")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["explain", "--model", "minilm", "--text", SHORT], "MiniLM"),
        (["explain", "--model", "minilm", "--text", SHORT, "--check"], "MiniLM"),
        (["perplexity", "--text", SHORT, "--tokens", "256"], "A text of 256 tokens in SmolLM2"),
        (["generate", "--prompt", "The whale", "--new", "5"], "A text of 2 tokens in SmolLM2"),
    ],
)
def test_what_would_not_fit_is_refused(
    arguments: list[str],
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(OWN_LIMIT, "1000")
    assert main(arguments) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert said in told and "would not fit into memory" in told
    assert "an estimate of" in told and "Needed: at most 0.0 MB" in told and "Try: " in told


def test_the_whole_of_perplexity_is_asked_for_before_it_begins(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One pass would fit, and the logits of three would not."""
    kept = load("smollm2")
    model_bytes = sum(part.nbytes for part in kept.model.parameters())
    held = psutil.Process().memory_info().rss
    monkeypatch.setenv(OWN_LIMIT, str(held + model_bytes + 250_000_000))
    assert main(["perplexity", "--text", SHORT, "--tokens", "400"]) == 2
    told = capsys.readouterr().err
    assert "would not fit into memory" in told and "Try: a text of at most" in told


def test_generation_within_the_limit_goes_on(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(OWN_LIMIT, str(1 << 50))
    assert main(["generate", "--prompt", "The whale", "--new", "2"]) == 0
    assert "fallbacks" in capsys.readouterr().err
