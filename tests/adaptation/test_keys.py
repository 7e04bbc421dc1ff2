"""What a key sample says of splats: moments of the keys that lie nearest."""

from __future__ import annotations

import pytest
import torch

from hsa.adaptation.keys import KeySample, cloud, nearest, no_keys

from .random_heads import random_field, random_keys


@pytest.mark.parametrize("keys", [random_keys(1), random_keys(2, count=3200)])
def test_moments_are_those_of_the_nearest_keys_on_every_level(keys: KeySample) -> None:
    field = random_field(3)
    known = cloud(field, keys)
    away = torch.cdist(keys.of(), field.position[field.rows(2)])
    assert torch.equal(known.own[:, 2], field.rows(2).start + away.argmin(1))
    for level in range(3):
        for row in range(field.rows(level).start, field.rows(level).stop):
            mine = keys.of(known.own[:, level] == row)
            assert int(known.count[row]) == mine.shape[0]
            if not mine.shape[0]:
                assert torch.equal(known.mean[row], field.position[row])
                assert not known.variance[row].any()
                continue
            assert torch.allclose(known.mean[row], mine.mean(0), atol=1e-4)
            assert torch.allclose(known.variance[row], mine.var(0, correction=0), atol=1e-3)


def test_of_no_keys_nothing_is_known() -> None:
    field = random_field(3)
    known = cloud(field, no_keys(field.position.shape[1]))
    assert torch.equal(known.mean, field.position) and not known.count.any()


def test_a_full_sample_keeps_every_text_with_the_same_chance() -> None:
    sample, generator = no_keys(2), torch.Generator().manual_seed(0)
    for text in range(8):
        x = torch.full((500, 2), float(text))
        sample = sample.joined(x, torch.zeros(500), 1000, generator)
    assert sample.seen == 4000 and sample.x.shape[0] == 1000 == sample.weight.numel()
    counts = torch.bincount(sample.of()[:, 0].long(), minlength=8)
    assert int(counts.min()) > 90 and int(counts.max()) < 160


def test_keys_beyond_half_precision_stay_finite() -> None:
    generator = torch.Generator().manual_seed(0)
    sample = no_keys(2).joined(torch.full((3, 2), 1e9), torch.ones(3), 10, generator)
    assert bool(sample.of().isfinite().all())
    assert nearest(random_field(3, dim=2), sample.of()).shape == (3, 3)
