"""What visitors leave behind in memory is bounded."""

from __future__ import annotations

import streamlit as st
import torch

from hsa.models.capture import capture
from hsa.models.loaded import LoadedModel
from pages.ui import engine, stores


def test_many_prompts_do_not_grow_the_store(minilm: LoadedModel, monkeypatch) -> None:
    st.cache_resource.clear()
    monkeypatch.setattr(stores, "CAPTURE_BYTES", 8_000_000)
    kept = stores.stores()["layers"]
    for number in range(20):
        tokens = minilm.tokenize(f"Number {number}. " + "The whale sank the ship. " * 30)
        given = engine.activations(minilm, tokens, 2, lambda sentence, fraction: None)
        assert given.layer == 2
        assert kept.use().held <= kept.capacity == 8_000_000
    assert 0 < kept.use().entries < 20 * minilm.layers
    assert kept.use().evictions > 0
    st.cache_resource.clear()


def test_a_kept_layer_is_the_captured_one(minilm: LoadedModel) -> None:
    tokens = minilm.tokenize("The whale sank the ship.")
    first = engine.activations(minilm, tokens, 1, lambda sentence, fraction: None)
    again = engine.activations(minilm, tokens, 1, lambda sentence, fraction: None)
    assert again is first
    torch.testing.assert_close(first.q, capture(minilm, tokens, layers=[1])[1].q)
