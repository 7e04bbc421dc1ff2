"""A field for more positions than a model reads, on random layers that are rotated."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from hsa.activations import Activations
from hsa.errors import InputError
from hsa.evaluation.long_field import fit_long_field
from hsa.evaluation.long_keys import moved
from hsa.evaluation.rotary import Rotary
from hsa.field.layer_field import LayerField
from hsa.field.splat_field import PHRASE
from hsa.fitting.settings import FitSettings
from tests.attention.random_layers import random_layer

TOKENS = 256
SETTINGS = FitSettings(documents=2, sections=6, phrases=24, keys_kept=512, rounds=4)
TURNING = Rotary(torch.tensor([0.5, 0.05, 0.002]))
STANDING = Rotary(torch.zeros(3))


def twice(text: Activations, rotary: Rotary) -> Activations:
    """A text and the same again behind it."""
    here = torch.arange(text.tokens)
    again = moved(text, rotary, here, text.tokens + here)
    both = {name: torch.cat([getattr(text, name), getattr(again, name)], 1) for name in "qkv"}
    return replace(text, **both, near_special=torch.zeros(2 * text.tokens, dtype=torch.bool))


def mean_key(field: LayerField) -> torch.Tensor:
    """Mean of the keys that a field was fitted on, in its frame: no clustering can change it."""
    share = field.log_amplitude.exp().where(field.level == PHRASE, 0.0)
    return (share.unsqueeze(-1) * field.position).sum(1) / share.sum(1, keepdim=True)


def test_every_stretch_is_moved_to_the_positions_from_0_on() -> None:
    text, _ = random_layer(9, TOKENS, 2, 3)
    once = fit_long_field(text, TOKENS, TURNING, SETTINGS)
    again = fit_long_field(twice(text, TURNING), TOKENS, TURNING, SETTINGS)
    torch.testing.assert_close(again.frame, once.frame, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(mean_key(again), mean_key(once), atol=0.05, rtol=0)
    unmoved = fit_long_field(twice(text, TURNING), TOKENS, STANDING, SETTINGS)
    assert (mean_key(unmoved) - mean_key(once)).abs().max() > 0.3
    assert torch.bincount(again.level[0]).tolist() == [2, 6, 24]
    assert not again.tilt.any() and bool((again.temper == 0.75).all())


def test_a_scrap_shorter_than_the_range_is_left_out() -> None:
    text, _ = random_layer(9, TOKENS, 2, 3)
    whole = fit_long_field(text, 200, STANDING, SETTINGS)
    first = replace(
        text, q=text.q[:, :200], k=text.k[:, :200], v=text.v[:, :200],
        near_special=text.near_special[:200],
    )  # fmt: skip
    assert torch.equal(whole.position, fit_long_field(first, 200, STANDING, SETTINGS).position)


def test_too_little_text_is_refused() -> None:
    text, _ = random_layer(9, TOKENS, 2, 3)
    with pytest.raises(InputError, match=r"256 tokens.*Needed: 300 tokens"):
        fit_long_field(text, 300, STANDING, SETTINGS)
