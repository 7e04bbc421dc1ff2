"""One model serves all visitors: threads do not mix, and nothing is left behind."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from hsa.models import fingerprint, program
from hsa.models.capture import capture, forward_logits
from hsa.models.loaded import LoadedModel
from hsa.models.program import AttentionCall
from hsa.models.substitution import standard
from tests.models.conftest import words


def state(loaded: LoadedModel) -> tuple:
    """Weights, configuration, hooks and attributes of every module."""
    modules = [
        (name, sorted(module.__dict__), len(module._forward_hooks), len(module._forward_pre_hooks))
        for name, module in loaded.model.named_modules()
    ]
    return fingerprint.of_model(loaded.model), loaded.model.config.to_json_string(), modules


def silenced(call: AttentionCall) -> torch.Tensor:
    return torch.zeros_like(standard(call))


def test_threads_with_different_programs_never_mix(tiny: dict[str, LoadedModel]) -> None:
    loaded = tiny["llama"]
    tokens = loaded.tokenize(words(24))
    plain = forward_logits(loaded, tokens)
    last = loaded.layers - 1
    keys = capture(loaded, tokens)[last].k
    with program.running(silenced):
        silent = forward_logits(loaded, tokens)
    assert not torch.allclose(plain, silent, atol=1e-2)

    def run_plain() -> int:
        return sum(not torch.equal(forward_logits(loaded, tokens), plain) for _ in range(60))

    def run_silent() -> int:
        with program.running(silenced):
            return sum(not torch.equal(forward_logits(loaded, tokens), silent) for _ in range(60))

    def run_capture() -> int:
        return sum(not torch.equal(capture(loaded, tokens)[last].k, keys) for _ in range(60))

    with ThreadPoolExecutor(3) as pool:
        wrong = [pool.submit(work) for work in (run_plain, run_silent, run_capture)]
        assert [future.result() for future in wrong] == [0, 0, 0]


@pytest.mark.parametrize("kind", ["llama", "bert"])
def test_the_model_is_unchanged_afterwards(kind: str, tiny: dict[str, LoadedModel]) -> None:
    loaded = tiny[kind]
    tokens = loaded.tokenize(words(10))
    before = state(loaded)
    reference = capture(loaded, tokens)

    def stumble(layer: int, _: object) -> None:
        if layer == 1:
            raise RuntimeError("the consumer stumbled")

    with pytest.raises(RuntimeError, match="stumbled"):
        capture(loaded, tokens, consumer=stumble)
    capture(loaded, tokens, layers=[0])
    assert program.current() is None
    assert state(loaded) == before
    again = capture(loaded, tokens)
    assert all(torch.equal(again[layer].v, reference[layer].v) for layer in reference)


def test_the_fingerprint_tells_models_apart(tiny: dict[str, LoadedModel]) -> None:
    prints = {loaded.fingerprint for loaded in tiny.values()}
    assert len(prints) == len(tiny)
    loaded = tiny["llama"]
    weight = loaded.attention_modules[0].k_proj.weight
    kept = weight.clone()
    try:
        weight[0, 0] += 1e-3
        assert fingerprint.of_model(loaded.model) != loaded.fingerprint
    finally:
        weight.copy_(kept)
    assert fingerprint.of_model(loaded.model) == loaded.fingerprint
