"""The registered attention equals eager attention wherever transformers calls it."""

from __future__ import annotations

import pytest
import torch

from hsa.models import program
from hsa.models.loaded import LoadedModel
from hsa.models.program import AttentionCall
from hsa.models.substitution import attention, standard
from tests.models.conftest import words
from tests.models.eager import eager_copy, padded


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("kind", ["llama", "qwen2", "mistral", "gpt2", "bert"])
def test_padded_batches(kind: str, side: str, tiny: dict[str, LoadedModel]) -> None:
    loaded = tiny[kind]
    inputs = padded(loaded, [loaded.tokenize(words(count)) for count in (30, 11)], side)
    with torch.no_grad():
        ours = loaded.model.base_model(**inputs).last_hidden_state
        theirs = eager_copy(loaded).base_model(**inputs).last_hidden_state
    real = inputs["attention_mask"].bool()
    torch.testing.assert_close(ours[real], theirs[real], atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize("cache", ["dynamic", "static"])
@pytest.mark.parametrize("kind", ["llama", "mistral", "gpt2"])
def test_generation_writes_the_same_tokens(
    kind: str, cache: str, tiny: dict[str, LoadedModel]
) -> None:
    loaded = tiny[kind]
    inputs = padded(loaded, [loaded.tokenize(words(count)) for count in (14, 6)], "left")
    options = {"max_new_tokens": 12, "do_sample": False, "cache_implementation": cache}
    ours = loaded.model.generate(**inputs, **options)
    assert torch.equal(ours, eager_copy(loaded).generate(**inputs, **options))


class Layer(torch.nn.Module):
    is_causal = True
    num_key_value_groups = 2


def tensors(queries: int, keys: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    shapes = ((1, 4, queries, 8), (1, 2, keys, 8), (1, 2, keys, 8))
    q, k, v = (torch.randn(shape, generator=generator) for shape in shapes)
    return q, k, v


def test_an_empty_static_cache_hides_its_unwritten_keys() -> None:
    q, k, v = tensors(queries=5, keys=9)
    filled, _ = attention(Layer(), q, k[:, :, :5], v[:, :, :5], None)
    allocated, _ = attention(Layer(), q, k, v, None)
    torch.testing.assert_close(allocated, filled)


def test_the_models_own_scaling_is_used() -> None:
    q, k, v = tensors(queries=6, keys=6)
    scaled, _ = attention(Layer(), q, k, v, None, scaling=0.1)
    default, _ = attention(Layer(), q * 0.1 * 8**0.5, k, v, None)
    torch.testing.assert_close(scaled, default)
    assert (scaled - attention(Layer(), q, k, v, None)[0]).abs().max() > 1e-2


@pytest.mark.parametrize("keys", [6, 9])
def test_soft_caps_and_learned_sinks_stay_exact(keys: int) -> None:
    q, k, v = tensors(queries=6, keys=keys)
    plain, _ = attention(Layer(), q, k, v, None)
    no_cap, _ = attention(Layer(), q, k, v, None, softcap=1e6)
    torch.testing.assert_close(no_cap, plain, atol=1e-5, rtol=1e-4)
    no_sink, _ = attention(Layer(), q, k, v, None, s_aux=torch.full((4,), -1e9))
    torch.testing.assert_close(no_sink, plain, atol=1e-5, rtol=1e-4)
    capped, _ = attention(Layer(), q, k, v, None, softcap=0.5)
    assert (capped - plain).abs().max() > 1e-2
    sunk, _ = attention(Layer(), q, k, v, None, s_aux=torch.full((4,), 50.0))
    assert sunk.abs().max() < 1e-6


def test_a_program_gets_the_call_and_gives_the_answer() -> None:
    q, k, v = tensors(queries=6, keys=6)
    calls: list[AttentionCall] = []

    def doubled(call: AttentionCall) -> torch.Tensor:
        calls.append(call)
        return 2 * standard(call)

    plain, _ = attention(Layer(), q, k, v, None)
    with program.running(doubled):
        twice, _ = attention(Layer(), q, k, v, None, sliding_window=64)
    assert torch.equal(twice, 2 * plain)
    assert calls[0].causal
    assert calls[0].scaling == pytest.approx(8**-0.5)
    assert calls[0].sliding_window == 64
    assert program.current() is None
