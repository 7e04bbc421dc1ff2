"""Attention rollout against explicit matrix products of transformers' own eager weights."""

from __future__ import annotations

import pytest
import torch

from hsa.errors import InputError
from hsa.evaluation.rollout import MOST_TOKENS, rollout, usual_depths
from hsa.fitting.windows import first_tokens
from hsa.models.loaded import LoadedModel
from tests.first_layers import first_layers
from tests.models.eager import eager_copy, eager_layers, padded


@pytest.mark.parametrize("name", ["smollm2", "minilm"])
def test_it_is_the_product_of_every_layers_mean_weights_and_the_residual(
    name: str, request: pytest.FixtureRequest
) -> None:
    whole: LoadedModel = request.getfixturevalue(name)
    model = first_layers(whole, layers=4) if name == "smollm2" else whole
    tokens = model.tokenize("The old captain saw the ship, and the ship saw the old captain.")
    layers = eager_layers(eager_copy(model), padded(model, [tokens], "right"))
    half = 0.5 * torch.eye(len(tokens), dtype=torch.float64)
    mixed = [0.5 * layer.weights[0].double().mean(0) + half for layer in layers]
    found = rollout(model, tokens)
    assert found.depths == ((1, 2, 4) if name == "smollm2" else (2, 3, 6))
    for depth, flow in zip(found.depths, found.flow, strict=True):
        wanted = mixed[0] if depth == 1 else torch.linalg.multi_dot(mixed[:depth][::-1])
        torch.testing.assert_close(flow.double(), wanted, atol=2e-6, rtol=1e-4)
        torch.testing.assert_close(flow.sum(1), torch.ones(len(tokens)))
        assert bool((flow.triu(1) == 0).all()) == model.causal
    # The order of the layers matters, so the test above can fail.
    wrong = torch.linalg.multi_dot(mixed)
    assert (wrong - found.flow[-1]).abs().max() > 1e-3


def test_depths_and_lengths_that_do_not_exist_are_refused(smollm2: LoadedModel, story: str) -> None:
    assert usual_depths(30) == (8, 15, 30) and usual_depths(1) == (1,)
    tokens = smollm2.tokenize(story)
    model = first_layers(smollm2, layers=1)
    for depths in ((0,), (2,), ()):
        with pytest.raises(InputError, match="no such depth"):
            rollout(model, first_tokens(tokens, 8), depths)
    with pytest.raises(InputError, match="shorter texts"):
        rollout(model, tokens)
    most = rollout(model, first_tokens(tokens, MOST_TOKENS), [1])
    assert most.flow.shape == (1, MOST_TOKENS, MOST_TOKENS)
