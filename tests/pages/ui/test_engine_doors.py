"""What visitors leave behind in memory is bounded."""

from __future__ import annotations

from types import SimpleNamespace

import streamlit as st
import torch

from hsa.models.capture import capture
from hsa.models.loaded import LoadedModel
from pages.ui import engine


def test_many_prompts_do_not_grow_the_store(minilm: LoadedModel, monkeypatch) -> None:
    st.cache_resource.clear()
    monkeypatch.setattr(engine, "CAPTURE_BYTES", 8_000_000)
    stores = engine._stores()
    for number in range(20):
        tokens = minilm.tokenize(f"Number {number}. " + "The whale sank the ship. " * 30)
        given = engine.activations(minilm, tokens, 2, lambda sentence, fraction: None)
        assert given.layer == 2
        assert stores["layers"].weight <= 8_000_000
    assert 0 < len(stores["layers"]) < 20 * minilm.layers
    st.cache_resource.clear()


def test_a_kept_layer_is_the_captured_one(minilm: LoadedModel) -> None:
    tokens = minilm.tokenize("The whale sank the ship.")
    first = engine.activations(minilm, tokens, 1, lambda sentence, fraction: None)
    again = engine.activations(minilm, tokens, 1, lambda sentence, fraction: None)
    assert again is first
    torch.testing.assert_close(first.q, capture(minilm, tokens, layers=[1])[1].q)


def test_bytes_are_those_of_all_tensors() -> None:
    value = {"a": torch.zeros(10), "b": [b"12345", torch.zeros(2, dtype=torch.float64)]}
    assert 61 <= engine.bytes_of(value) <= 70
    assert engine.bytes_of(SimpleNamespace()) == 1
