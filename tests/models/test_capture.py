"""Captured q, k and v are those of the model: they reproduce its own attention."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AttentionMaskInterface

from hsa.errors import InputError, ModelError
from hsa.models import program, substitution
from hsa.models.capture import capture, forward_logits
from hsa.models.loaded import LoadedModel
from hsa.models.loading import load
from hsa.models.program import AttentionCall
from hsa.models.substitution import standard
from tests.models.conftest import words
from tests.models.eager import eager_copy, eager_layers, padded, recomputed, relative

KINDS = ("llama", "qwen2", "mistral", "gpt2", "bert")
PROSE = (
    "Call me Ishmael. Some years ago, never mind how long precisely, having little or no "
    "money in my purse, and nothing particular to interest me on shore, I thought I would "
    "sail about a little and see the watery part of the world."
)


def check(loaded: LoadedModel, texts: list[str], tolerance: float) -> None:
    batch = [loaded.tokenize(text) for text in texts]
    captured = capture(loaded, batch)
    expected = eager_layers(eager_copy(loaded), padded(loaded, batch, "right"))
    for row, (tokens, layers) in enumerate(zip(batch, captured, strict=True)):
        assert sorted(layers) == list(range(loaded.layers))
        for layer, activations in layers.items():
            count = len(tokens)
            assert activations.q.shape == (loaded.query_heads, count, loaded.head_dim)
            assert activations.k.shape == (loaded.key_value_heads, count, loaded.head_dim)
            assert activations.q.dtype == loaded.model.dtype
            weights, output = recomputed(activations)
            theirs = expected[layer]
            assert relative(weights, theirs.weights[row, :, :count, :count]) <= tolerance
            assert relative(output, theirs.output[row, :count]) <= tolerance


@pytest.mark.parametrize("kind", KINDS)
def test_capture_reproduces_eager_attention_with_padding(
    kind: str, tiny: dict[str, LoadedModel]
) -> None:
    check(tiny[kind], [words(40), words(9, start=3), words(1, start=5)], tolerance=1e-5)


@pytest.mark.parametrize("kind", ["llama", "mistral", "bert"])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.bfloat16, 8e-3), (torch.float16, 1e-3)])
def test_capture_in_half_precision(
    kind: str, dtype: torch.dtype, tolerance: float, tiny_folders: dict[str, Path]
) -> None:
    """Against the outputs of our own attention: eager rounds its logits to the dtype too."""
    loaded = load(str(tiny_folders[kind]), dtype=dtype)
    tokens = loaded.tokenize(words(30))
    outputs: list[torch.Tensor] = []

    def record(call: AttentionCall) -> torch.Tensor:
        outputs.append(standard(call))
        return outputs[-1]

    with torch.no_grad(), program.running(record):
        loaded.model.base_model(torch.tensor([tokens.ids]), use_cache=False)
    for layer, activations in capture(loaded, tokens).items():
        assert activations.q.dtype == dtype
        assert relative(recomputed(activations)[1], outputs[layer][0].flatten(1)) <= tolerance


@pytest.mark.parametrize("kind", ["llama", "mistral", "bert"])
def test_half_precision_follows_float32(
    kind: str, tiny: dict[str, LoadedModel], tiny_folders: dict[str, Path]
) -> None:
    half = load(str(tiny_folders[kind]), dtype=torch.float16)
    tokens = half.tokenize(words(30))
    for layer, activations in capture(half, tokens).items():
        full = capture(tiny[kind], tokens)[layer]
        for mine, theirs in ((activations.q, full.q), (activations.k, full.k)):
            assert relative(mine, theirs) <= 2e-2


def test_capture_of_smollm2(smollm2: LoadedModel) -> None:
    assert (smollm2.layers, smollm2.query_heads, smollm2.key_value_heads) == (30, 9, 3)
    check(smollm2, [PROSE], tolerance=5e-6)


def test_capture_of_minilm_with_padding(minilm: LoadedModel) -> None:
    assert not minilm.causal
    check(minilm, [PROSE, "Call me Ishmael."], tolerance=5e-6)
    activations = capture(minilm, minilm.tokenize("Call me."))[0]
    assert activations.near_special.tolist() == [True, False, False, False, True]


def test_a_sliding_window_really_hides_keys(tiny: dict[str, LoadedModel]) -> None:
    loaded = tiny["mistral"]
    activations = capture(loaded, loaded.tokenize(words(20)), layers=[1])[1]
    assert activations.sliding_window == 8
    assert activations.visible()[19].nonzero().flatten().tolist() == list(range(12, 20))
    assert activations.visible(torch.tensor([3])).sum() == 4


def test_a_mask_of_another_kind_is_refused(tiny: dict[str, LoadedModel]) -> None:
    def chunked(q_length: int, kv_length: int, **_: object) -> torch.Tensor:
        chunk = torch.arange(kv_length) // 4
        rows = chunk[:q_length]
        return (rows[:, None] == chunk[None, :]).tril()[None, None]

    loaded = tiny["llama"]
    tokens = loaded.tokenize(words(20))
    AttentionMaskInterface.register(substitution.IMPLEMENTATION, chunked)
    try:
        with pytest.raises(ModelError, match="masks its attention"):
            capture(loaded, tokens, layers=[1])
    finally:
        substitution.register()
    capture(loaded, tokens, layers=[1])


def test_streaming_gives_the_same_and_keeps_nothing(tiny: dict[str, LoadedModel]) -> None:
    loaded = tiny["llama"]
    tokens = loaded.tokenize(words(12))
    kept = capture(loaded, tokens)
    seen = {}
    assert capture(loaded, tokens, layers=[0, 2], consumer=seen.__setitem__) == {}
    assert sorted(seen) == [0, 2]
    for layer, activations in seen.items():
        assert torch.equal(activations.q, kept[layer].q)


def test_a_batch_does_not_keep_its_padding_alive(tiny: dict[str, LoadedModel]) -> None:
    loaded = tiny["llama"]
    batch = [loaded.tokenize(words(90)), loaded.tokenize(words(2))]
    for layers in capture(loaded, batch):
        for tensor in (layers[0].q, layers[0].k, layers[0].v):
            assert tensor.untyped_storage().nbytes() == tensor.numel() * 4


def test_captured_tensors_serve_later_gradients(tiny: dict[str, LoadedModel]) -> None:
    loaded = tiny["llama"]
    q = capture(loaded, loaded.tokenize(words(5)))[0].q
    temper = torch.tensor(0.5, requires_grad=True)
    (q * temper).sum().backward()
    assert temper.grad is not None


def test_refused_layers_and_lengths(tiny: dict[str, LoadedModel]) -> None:
    loaded = tiny["llama"]
    with pytest.raises(InputError, match="no such layer"):
        capture(loaded, loaded.tokenize(words(5)), layers=[3])
    long = tiny["llama"].tokenize(words(96))
    object.__setattr__(long, "ids", long.ids * 2)
    with pytest.raises(InputError, match="does not fit"):
        capture(loaded, long)
    assert capture(loaded, []) == []


def test_logits_are_those_of_the_model(tiny: dict[str, LoadedModel]) -> None:
    loaded = tiny["qwen2"]
    tokens = loaded.tokenize(words(20))
    with torch.no_grad():
        expected = eager_copy(loaded)(input_ids=torch.tensor([tokens.ids])).logits[0]
    torch.testing.assert_close(forward_logits(loaded, tokens), expected, atol=2e-4, rtol=1e-4)
    with pytest.raises(ModelError, match="predicts no next token"):
        forward_logits(tiny["bert"], tiny["bert"].tokenize(words(3)))


def test_smollm2_knows_its_capitals(smollm2: LoadedModel) -> None:
    logits = forward_logits(smollm2, smollm2.tokenize("The capital of France is"))
    assert smollm2.tokenizer.decode([int(logits[-1].argmax())]) == " Paris"
