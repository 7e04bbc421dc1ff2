"""What a warm-up keeps of a stream."""

from __future__ import annotations

from dataclasses import replace

import torch

from hsa.activations import Activations
from hsa.field.statistics import KeyReservoir
from tests.attention.random_layers import random_layer


def numbered(start: int, count: int, special: tuple[int, ...] = ()) -> Activations:
    """Keys that carry their own number."""
    activations, _ = random_layer(0, count, 1, 2, 2, special=special, causal=not special)
    number = torch.arange(start, start + count).float()
    return replace(activations, k=torch.stack([number, -number], -1).unsqueeze(0))


def test_the_sample_is_uniform_over_the_stream() -> None:
    """200 of 2,000 keys, 60 times: each tenth of the stream has its tenth of the sample."""
    held = torch.zeros(10)
    for seed in range(60):
        reservoir = KeyReservoir(200, torch.Generator().manual_seed(seed))
        for start, count in ((0, 50), (50, 700), (750, 1), (751, 1249)):
            reservoir.add(numbered(start, count))
        kept = reservoir.sample()[0, :, 0]
        assert kept.unique().numel() == 200, "no key is kept twice"
        held += torch.histc(kept, 10, 0, 2000)
    expected = 60 * 20
    # Standard deviation of a tenth's count is below √(1200 · 0.9) = 33.
    assert (held - expected).abs().max() < 4 * 33


def test_a_short_stream_is_kept_whole_in_order() -> None:
    reservoir = KeyReservoir(200, torch.Generator().manual_seed(0))
    reservoir.add(numbered(0, 30))
    reservoir.add(numbered(30, 40))
    assert reservoir.sample()[0, :, 0].tolist() == list(range(70))
    assert torch.equal(reservoir.sample()[0, :, 1], -reservoir.sample()[0, :, 0])


def test_sinks_and_special_tokens_are_left_out() -> None:
    reservoir = KeyReservoir(200, torch.Generator().manual_seed(0), skip=4)
    reservoir.add(numbered(0, 20, special=(0, 19)))
    reservoir.add(numbered(100, 10))
    assert reservoir.sample()[0, :, 0].tolist() == [*range(4, 19), *range(104, 110)]
    assert reservoir.seen == 21


def test_the_query_moment_is_the_mean_over_all_heads_and_texts() -> None:
    reservoir = KeyReservoir(10, torch.Generator().manual_seed(0))
    texts = [random_layer(seed, tokens)[0] for seed, tokens in ((1, 30), (2, 50))]
    for text in texts:
        reservoir.add(text)
    for group in range(2):
        queries = [text.scaling * text.q[2 * group : 2 * group + 2].flatten(0, 1) for text in texts]
        every = torch.cat(queries).double()
        wanted = every.mT @ every / len(every)
        assert torch.allclose(reservoir.query_moment()[group], wanted, rtol=1e-5, atol=1e-7)
