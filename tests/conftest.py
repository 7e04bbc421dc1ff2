"""The two real models, and texts that no shipped field was fitted on."""

from __future__ import annotations

from pathlib import Path

import pytest

from hsa.models.loaded import LoadedModel
from hsa.models.loading import load

PROMPTS = Path(__file__).parents[1] / "assets" / "prompts"


@pytest.fixture(scope="session")
def smollm2() -> LoadedModel:
    return load("smollm2")


@pytest.fixture(scope="session")
def minilm() -> LoadedModel:
    return load("minilm")


@pytest.fixture(scope="session")
def story() -> str:
    """Moby-Dick, chapter 100: about 1,900 tokens of SmolLM2."""
    return (PROMPTS / "moby-long.txt").read_text("utf-8")
