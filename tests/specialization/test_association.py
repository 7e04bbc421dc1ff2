"""The statistics against their definitions: permutations drawn, the hypergeometric law, scipy."""

from __future__ import annotations

import pytest
import torch
from scipy import stats

from hsa.specialization.association import (
    _moments,
    association,
    benjamini_hochberg,
    bits,
    upper_tail,
)
from hsa.specialization.tally import BLOCKS, Tally


def tally_of(owner, stratum, weight, label, blocks=None) -> Tally:
    """One head; the same keys in both halves."""
    splats, strata = int(owner.max()) + 1, int(stratum.max()) + 1
    tally = Tally.empty(1, splats, label.shape[1], strata)
    blocks = torch.arange(len(owner)) % BLOCKS if blocks is None else blocks
    for half in (0, 1):
        for block in range(BLOCKS):
            own = blocks == block
            tally.add(
                half, block, owner[own].view(1, -1, 1).expand(1, -1, 3), stratum[own][None],
                weight[own][None], label[own][None],
            )  # fmt: skip
    # Every key was added at three levels, here all one splat's.
    return Tally(
        tally.carried / 3, tally.weight / 3, tally.weight_square / 3, tally.weight_cube / 3,
        tally.support / 3, tally.keys / 3, tally.label, tally.base, tally.total, tally.count,
    )  # fmt: skip


def test_moments_are_those_of_all_permutations_within_strata() -> None:
    random = torch.Generator().manual_seed(0)
    keys = 60
    owner = torch.randint(0, 3, (keys,), generator=random)
    stratum = torch.randint(0, 2, (keys,), generator=random)
    weight = torch.rand(keys, generator=random) ** 3
    label = torch.rand(keys, 1, generator=random) ** 4
    variance, third = _moments(tally_of(owner, stratum, weight, label), 0)
    draws = []
    for _ in range(40_000):
        order = torch.rand(keys, generator=random) + stratum
        place = torch.empty(keys, dtype=torch.long)
        place[stratum.argsort(stable=True)] = order.argsort()
        draws.append(torch.zeros(3).index_add_(0, owner, weight * label[place, 0]))
    drawn = torch.stack(draws).double()
    drawn = drawn - drawn.mean(0)
    torch.testing.assert_close(variance[0, :, 0], drawn.square().mean(0), rtol=0.03, atol=0)
    torch.testing.assert_close(third[0, :, 0], (drawn**3).mean(0), rtol=0.2, atol=1e-4)


@pytest.mark.parametrize("owned, having, keys", [(40, 50, 400), (12, 30, 1000), (200, 20, 1000)])
def test_counts_have_the_hypergeometric_tail(owned: int, having: int, keys: int) -> None:
    """For five keys and more; where few are expected, the gamma tail is the more careful."""
    exact = stats.hypergeom(keys, having, owned)
    for found in range(max(5, round(exact.mean()) + 1), min(owned, having) + 1):
        p_exact = exact.sf(found - 1)
        if p_exact < 1e-6:
            break
        owner = (torch.arange(keys) < owned).long()
        label = torch.zeros(keys, 1)
        label[:found] = 1
        label[owned : owned + having - found] = 1
        zeros = torch.zeros(keys, dtype=torch.long)
        p = float(association(tally_of(owner, zeros, torch.ones(keys), label), 0).p[0, 1, 0])
        assert 0.4 * p_exact < p < 5 * p_exact


def test_a_label_that_follows_the_stratum_is_no_finding() -> None:
    """A splat of early keys, a function of early keys: nothing within the stratum."""
    owner = torch.arange(400) // 200
    stratum = owner.clone()
    random = torch.Generator().manual_seed(1)
    label = (torch.rand(400, 1, generator=random) < 0.5 * (1 - owner.unsqueeze(1))).float()
    found = association(tally_of(owner, stratum, torch.ones(400), label), 0)
    assert bool((found.p == 1).all())
    torch.testing.assert_close(found.odds, torch.zeros_like(found.odds), atol=1e-3, rtol=0)


def test_the_interval_tells_what_blocks_of_texts_differ_by() -> None:
    """One block holds the whole finding: the interval does not exclude nothing."""
    owner = torch.arange(800) % 8 // 7
    blocks = torch.arange(800) // 100
    label = ((blocks == 3) & (owner == 1)).float().unsqueeze(1)
    steady = (torch.arange(800) % 16 == 7).float().unsqueeze(1)
    zeros, ones = torch.zeros(800, dtype=torch.long), torch.ones(800)
    one = association(tally_of(owner, zeros, ones, label, blocks), 0)
    all_blocks = association(tally_of(owner, zeros, ones, steady, blocks), 0)
    assert float(one.p[0, 1, 0]) < 1e-6 and float(one.low[0, 1, 0]) < 0.5 * float(one.odds[0, 1, 0])
    assert float(all_blocks.low[0, 1, 0]) > 0


def test_benjamini_hochberg_is_scipys() -> None:
    p = torch.rand(500, dtype=torch.float64, generator=torch.Generator().manual_seed(2)) ** 2
    tested = torch.arange(500) % 5 != 0
    q = benjamini_hochberg(p, tested)
    wanted = torch.from_numpy(stats.false_discovery_control(p[tested].numpy()))
    torch.testing.assert_close(q[tested], wanted)
    assert bool((q[~tested] == 1).all())


def test_the_tail_bends_with_the_skewness() -> None:
    excess, variance = torch.tensor([3.0, 3.0]), torch.tensor([1.0, 1.0])
    straight, bent = upper_tail(excess, variance, torch.tensor([0.0, 1.0]))
    assert float(straight) == pytest.approx(stats.norm.sf(3), rel=1e-4)
    assert float(bent) == pytest.approx(stats.pearson3.sf(3, 1.0), rel=1e-4)
    assert float(upper_tail(excess[:1], torch.zeros(1), torch.zeros(1))) == 1


def test_bits_of_a_sure_thing() -> None:
    told = bits(torch.tensor([1.0, 0.25, 0.0]), torch.tensor([0.25, 0.25, 0.5]))
    torch.testing.assert_close(told, torch.tensor([2.0, 0.0, 1.0]))
