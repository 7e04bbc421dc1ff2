"""Explanations of a real model's heads, at both lengths that are promised."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from hsa.activations import Activations
from hsa.attention.reference import attend
from hsa.attention.spending import Spending
from hsa.attention.views import into_layer
from hsa.explanation.checks import check_explanations, check_pairs
from hsa.field.layer_field import LayerField, stack
from hsa.field.seeding import seed_field
from hsa.field.statistics import KeyReservoir
from hsa.models.capture import capture
from hsa.models.loaded import LoadedModel

LAYERS = (0, 18)
"""The first, where logits are small, and the one with the sharpest heads."""


@pytest.fixture(scope="module")
def activations(smollm2: LoadedModel, story: str) -> dict[int, Activations]:
    return capture(smollm2, smollm2.tokenize(story), LAYERS)


@pytest.fixture(scope="module")
def fields(activations: dict[int, Activations]) -> dict[int, LayerField]:
    """Splats seeded from the text's own first half: how good they are does not matter here."""
    generator = torch.Generator().manual_seed(0)
    found = {}
    for layer, every in activations.items():
        half = _part(every, 0, 1000)
        reservoir = KeyReservoir(1000, generator, skip=4)
        reservoir.add(half)
        moment, keys = reservoir.query_moment(), reservoir.sample()
        heads = [
            seed_field(k, m, (6, 30, 120), generator, 3) for k, m in zip(keys, moment, strict=True)
        ]
        found[layer] = stack(heads, torch.full((3, 3, 3), 0.75), torch.ones(3, 3, 3))
    return found


def _part(whole: Activations, start: int, stop: int) -> Activations:
    cut = {name: getattr(whole, name)[:, start:stop] for name in ("q", "k", "v")}
    return replace(whole, **cut, near_special=whole.near_special[start:stop])


@pytest.mark.parametrize("number", LAYERS)
def test_every_pair_of_128_tokens(
    activations: dict[int, Activations], fields: dict[int, LayerField], number: int
) -> None:
    prompt = _part(activations[number], 0, 128)
    spending = Spending(torch.tensor([8, 12, 20] * 3))
    result = attend(prompt, fields[number], spending)
    check = check_explanations(result, into_layer(prompt, fields[number]))
    assert check.passed, check
    assert check.pairs == 9 * 128 * 129 // 2
    assert min(check.closed_rows) > 50


@pytest.mark.parametrize("number", LAYERS)
def test_random_pairs_of_a_long_text(
    activations: dict[int, Activations], fields: dict[int, LayerField], number: int
) -> None:
    text = activations[number]
    generator = torch.Generator().manual_seed(number)
    queries = torch.randperm(text.tokens, generator=generator)[:30]
    head = torch.randint(9, (200,), generator=generator)
    query = queries[torch.randint(30, (200,), generator=generator)]
    key = (torch.rand(200, generator=generator) * (query + 1)).long()
    result = attend(text, fields[number], Spending(torch.tensor([12, 40, 90] * 3)), queries)
    pairs = torch.stack([head, query, key], dim=1)
    check = check_pairs(result, into_layer(text, fields[number]), pairs)
    assert check.passed, check
    assert check.pairs == len(pairs.unique(dim=0))
    assert min(check.closed_rows) > 20
