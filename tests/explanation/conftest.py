"""One random layer, attended to with few enough reads that all levels stay closed somewhere."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch

from hsa.attention.reference import attend
from hsa.attention.result import HSAResult
from hsa.attention.spending import Spending
from hsa.attention.views import FramedLayer, into_layer
from tests.attention.random_layers import random_layer


@dataclass(frozen=True)
class Case:
    """What every explanation is given."""

    result: HSAResult
    layer: FramedLayer
    strings: tuple[str, ...]

    @property
    def given(self) -> tuple[HSAResult, FramedLayer, tuple[str, ...]]:
        return self.result, self.layer, self.strings


def attended(causal: bool = True, reads: tuple[int, ...] = (4, 8, 14, 20), seed: int = 12) -> Case:
    special = () if causal else (0, 89)
    activations, field = random_layer(seed, 90, 2, 2, causal=causal, special=special)
    result = attend(activations, field, Spending(torch.tensor(reads)))
    return Case(result, into_layer(activations, field), tuple(f"w{at}" for at in range(90)))


@pytest.fixture(scope="session", params=[True, False], ids=["causal", "bidirectional"])
def case(request: pytest.FixtureRequest) -> Case:
    return attended(request.param)


@pytest.fixture(scope="session")
def causal_case() -> Case:
    return attended()
