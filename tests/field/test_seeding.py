"""Seeding: nested clusters whose prior shares sum to one on every level."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from hsa.errors import InputError
from hsa.field.seeding import k_means, seed_field
from hsa.field.splat_field import SplatField


def clustered(seed: int, count: int = 200, dim: int = 4) -> tuple[Tensor, torch.Generator]:
    generator = torch.Generator().manual_seed(seed)
    centres = 4 * torch.randn(10, dim, generator=generator)
    of = torch.randint(10, (count,), generator=generator)
    return centres[of] + 0.3 * torch.randn(count, dim, generator=generator), generator


def seeded(seed: int, splats: tuple[int, int, int]) -> tuple[Tensor, SplatField]:
    keys, generator = clustered(seed)
    return keys, seed_field(keys, torch.eye(4), splats, generator)


@given(seed=st.integers(0, 500), splats=st.sampled_from([(1, 1, 2), (2, 5, 12), (4, 20, 60)]))
@settings(max_examples=12, deadline=None, derandomize=True)
def test_levels_nest_and_their_shares_sum_to_one(seed: int, splats: tuple[int, int, int]) -> None:
    _, field = seeded(seed, splats)
    for level, count in enumerate(splats):
        rows = field.rows(level)
        assert rows.stop - rows.start == count
        assert float(field.log_amplitude[rows].exp().sum()) == pytest.approx(1, abs=1e-5)
    for parent in range(field.rows(2).start):
        children = (field.parent == parent).nonzero().flatten()
        assert children.numel() > 0
        share = field.log_amplitude.exp()
        assert float(share[children].sum()) == pytest.approx(float(share[parent]), rel=1e-4)
        centre = (share[children, None] * field.position[children]).sum(0) / share[parent]
        assert torch.allclose(centre, field.position[parent], atol=1e-3)
    assert field.splat_id.unique().numel() == sum(splats)
    assert field.log_spread.isfinite().all()


def test_spreads_grow_up_the_hierarchy() -> None:
    _, field = seeded(3, (2, 6, 30))
    mean = [float(field.log_spread[field.rows(level)].exp().mean()) for level in range(3)]
    assert mean[0] > mean[1] > mean[2]


def test_the_frame_is_the_query_metric() -> None:
    keys, generator = clustered(1)
    moment = torch.diag(torch.tensor([9.0, 1.0, 1.0, 0.01]))
    field = seed_field(keys, moment, (1, 2, 4), generator)
    assert torch.allclose(field.frame.diagonal()[:3], torch.tensor([3.0, 1, 1]), atol=2e-2)
    phrases = field.rows(2)
    mean = field.log_amplitude[phrases].exp() @ field.position[phrases]
    assert torch.allclose(mean, (keys @ field.frame.mT).mean(0), atol=1e-3)


def test_same_seed_same_field() -> None:
    one, other = seeded(7, (2, 5, 12))[1], seeded(7, (2, 5, 12))[1]
    assert all(torch.equal(a, getattr(other, name)) for name, a in vars(one).items())


@pytest.mark.parametrize("splats", [(0, 1, 2), (3, 2, 9), (2, 9, 5), (1, 2, 201)])
def test_impossible_numbers_are_refused(splats: tuple[int, int, int]) -> None:
    with pytest.raises(InputError, match="seeded"):
        seeded(0, splats)


def test_k_means_finds_clusters_that_are_plain_to_see() -> None:
    generator = torch.Generator().manual_seed(0)
    centres = torch.tensor([[0.0, 0], [50, 0], [0, 50], [50, 50]])
    x = centres.repeat_interleave(30, 0) + torch.randn(120, 2, generator=generator)
    best = min(
        float((x - centre[of]).square().sum())
        for of, centre in (k_means(x, torch.ones(120), 4, generator, 10) for _ in range(8))
    )
    assert best < 2 * 2 * 120


def test_no_cluster_stays_empty() -> None:
    """Identical points leave clusters without any; every one gets a point of its own."""
    x = torch.cat([torch.zeros(30, 2), torch.ones(2, 2)])
    of, _ = k_means(x, torch.ones(32), 12, torch.Generator().manual_seed(0), 5)
    assert of.unique().numel() == 12
