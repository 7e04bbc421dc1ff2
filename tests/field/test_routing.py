"""Routing: the Phrase of highest density."""

from __future__ import annotations

import pytest
import torch
from torch.distributions import Independent, Normal

from hsa.field.layer_field import LayerField, stack
from hsa.field.routing import densities, route
from hsa.field.splat_field import PHRASE, SplatField
from tests.attention.random_layers import random_layer


def keys_and_field() -> tuple[torch.Tensor, LayerField]:
    activations, field = random_layer(31, 200)
    return activations.k @ field.frame.mT, field


def by_torch(x: torch.Tensor, field: LayerField, floor: float) -> torch.Tensor:
    """log amplitude + log N by torch.distributions, in float64; -inf for other levels."""
    spread = field.log_spread.double().exp()
    given = torch.full((*x.shape[:2], field.level.shape[1]), -torch.inf, dtype=torch.float64)
    for group in range(x.shape[0]):
        phrases = (field.level[group] == PHRASE).nonzero().flatten()
        share = field.log_amplitude[group, phrases].double().softmax(0)
        within = (share.unsqueeze(1) * spread[group, phrases]).sum(0)
        for row in phrases.tolist():
            deviation = (spread[group, row] + floor * within).sqrt()
            normal = Independent(Normal(field.position[group, row].double(), deviation), 1)
            amplitude = float(field.log_amplitude[group, row])
            given[group, :, row] = amplitude + normal.log_prob(x[group].double())
    return given


@pytest.mark.parametrize("floor", [0.0, 1.0, 3.0])
def test_keys_go_to_the_phrase_of_highest_density(floor: float) -> None:
    x, field = keys_and_field()
    wanted = by_torch(x, field, floor)
    routed = route(x, field, floor)
    best = wanted.max(-1).values
    assert (best - wanted.gather(-1, routed.unsqueeze(-1)).squeeze(-1)).max() < 1e-3
    assert (routed == wanted.argmax(-1)).float().mean() > 0.99
    assert field.level.gather(1, routed).eq(PHRASE).all()


def test_the_floor_changes_who_gets_what() -> None:
    x, field = keys_and_field()
    assert not torch.equal(route(x, field, 0.0), route(x, field, 3.0))


def test_density_is_that_of_a_gaussian_up_to_a_constant() -> None:
    generator = torch.Generator().manual_seed(0)
    x = 30 + torch.randn(1, 40, 5, generator=generator)
    position = 30 + torch.randn(1, 6, 5, generator=generator)
    variance = 0.05 + torch.rand(1, 6, 5, generator=generator)
    amplitude = torch.randn(1, 6, generator=generator)
    found = densities(position, variance, amplitude).at(x)
    for splat in range(6):
        normal = Independent(Normal(position[0, splat], variance[0, splat].sqrt()), 1)
        wanted = amplitude[0, splat] + normal.log_prob(x[0])
        difference = found[0, :, splat] - wanted
        # The constant ½ D log 2π; the offset of 30 must not cost digits.
        assert (difference - 0.5 * 5 * torch.log(torch.tensor(2 * torch.pi))).abs().max() < 1e-3


def test_chunks_and_padding_change_nothing() -> None:
    x, field = keys_and_field()
    whole = route(x, field)
    assert torch.equal(route(x, field, chunk=7), whole)
    one = field.group(1)
    assert torch.equal(route(x[1:], one)[0], whole[1])


def test_amplitude_breaks_the_balance() -> None:
    """Half-way between two Phrases of equal spread, the more common one wins."""
    splats = SplatField(
        frame=torch.eye(1),
        position=torch.tensor([[0.0], [0.0], [-1.0], [1.0]]),
        log_spread=torch.zeros(4, 1),
        log_amplitude=torch.tensor([1.0, 1.0, 0.3, 0.7]).log(),
        level=torch.tensor([0, 1, 2, 2]),
        parent=torch.tensor([-1, 0, 1, 1]),
        splat_id=torch.arange(4),
    )
    both = stack([splats], torch.ones(1, 1, 3), torch.ones(1, 1, 3))
    assert route(torch.tensor([[[0.0], [-0.9], [0.9]]]), both).tolist() == [[3, 2, 3]]
