"""How reads are shared out between heads."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from hsa.attention.allocation import lower_hull, spread_reads

READS = torch.tensor([4.0, 8, 16, 32, 64])


def curves(seed: int, heads: int = 5) -> Tensor:
    """Falling error curves with bumps."""
    generator = torch.Generator().manual_seed(seed)
    steepness = 0.3 + 2 * torch.rand(heads, 1, generator=generator)
    noise = 1 + 0.2 * torch.rand(heads, len(READS), generator=generator)
    return (READS / 4).pow(-steepness) * noise


def at(head: Tensor, reads: float) -> float:
    """Error on the hull of a head's curve."""
    x, y = lower_hull(READS, head)
    after = min(int((x < reads).sum()), len(x) - 1)
    if after == 0:
        return float(y[0])
    share = min(1.0, (reads - float(x[after - 1])) / float(x[after] - x[after - 1]))
    return float(y[after - 1] + share * (y[after] - y[after - 1]))


@given(seed=st.integers(0, 1000))
@settings(max_examples=25, deadline=None, derandomize=True)
def test_the_hull_is_convex_falls_and_lies_below(seed: int) -> None:
    error = curves(seed, 1)[0]
    x, y = lower_hull(READS, error)
    assert (x.diff() > 0).all() and (y.diff() < 0).all()
    slope = y.diff() / x.diff()
    assert (slope.diff() >= -1e-6).all()
    assert float(y[0]) == float(error[0])
    for reads, value in zip(READS.tolist(), error.tolist(), strict=True):
        assert at(error, reads) <= value + 1e-6


@given(seed=st.integers(0, 1000), mean=st.floats(4, 60))
@settings(max_examples=25, deadline=None, derandomize=True)
def test_the_mean_is_what_was_asked_and_no_exchange_helps(seed: int, mean: float) -> None:
    error = curves(seed)
    given_reads = spread_reads(READS.expand_as(error), error, mean)
    ends = torch.tensor([float(lower_hull(READS, head)[0][-1]) for head in error])
    assert float(given_reads.mean()) == pytest.approx(min(mean, float(ends.mean())), rel=1e-4)
    assert (given_reads >= 4 - 1e-4).all() and (given_reads <= ends + 1e-3).all()

    def total(reads: Tensor) -> float:
        return sum(at(head, r) for head, r in zip(error, reads.tolist(), strict=True))

    best = total(given_reads)
    for giver in range(5):
        for taker in range(5):
            moved = given_reads.clone()
            moved[giver] -= 2
            moved[taker] += 2
            if moved[giver] >= 4:
                assert total(moved) >= best - 1e-5


def test_a_head_that_gains_nothing_gets_nothing() -> None:
    error = torch.stack([torch.tensor([1.0, 0.5, 0.25, 0.12, 0.06]), torch.full((5,), 0.3)])
    given_reads = spread_reads(READS.expand_as(error), error, 20.0)
    assert given_reads.tolist() == pytest.approx([36.0, 4.0])


def test_less_than_the_least_is_raised_to_it() -> None:
    assert spread_reads(READS.expand(2, 5), curves(0, 2), 1.0).tolist() == [4.0, 4.0]
