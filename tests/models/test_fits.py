"""A text that memory is too small for is refused before the model reads it."""

from __future__ import annotations

import re

import psutil
import pytest
import torch

from hsa.attention.reference import attend
from hsa.attention.spending import Spending
from hsa.attention.views import into_layer
from hsa.errors import InputError
from hsa.evaluation.agreement import compare_head
from hsa.fitting.windows import first_tokens
from hsa.memory.available import OWN_LIMIT
from hsa.models.capture import capture, forward_logits
from hsa.models.fits import check_text, model_shape
from hsa.models.loaded import LoadedModel
from tests.attention.random_layers import random_layer


def leave(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """Let this process take only so many bytes more."""
    monkeypatch.setenv(OWN_LIMIT, str(psutil.Process().memory_info().rss + count))


def test_the_shape_is_the_models(minilm: LoadedModel, smollm2: LoadedModel) -> None:
    shape = model_shape(smollm2)
    assert (shape.layers, shape.hidden, shape.intermediate) == (30, 576, 1536)
    assert (shape.query_heads, shape.key_value_heads, shape.head_dim) == (9, 3, 64)
    assert (shape.vocabulary, shape.number_bytes) == (49152, 4)
    assert model_shape(minilm).intermediate == 1536


def test_a_capture_that_would_not_fit_is_refused_with_what_would(
    minilm: LoadedModel, story: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = first_tokens(minilm.tokenize(story), 200)
    leave(monkeypatch, 5_000_000)
    with pytest.raises(InputError, match="would not fit into memory") as refusal:
        capture(minilm, text)
    said = str(refusal.value)
    assert "A text of 200 tokens in all-MiniLM-L6-v2" in said
    estimate, left = (float(n) for n in re.findall(r"([\d.]+) MB", said))
    assert estimate > left and left < 6
    found = re.search(r"at most (\d+) tokens\.", said)
    assert found is not None
    most = int(found[1])
    assert 0 < most < 200
    leave(monkeypatch, 5_000_000)
    check_text(minilm, most // 2, kept_layers=6)
    with pytest.raises(InputError):
        check_text(minilm, 2 * most, kept_layers=6)


def test_what_fits_is_read(minilm: LoadedModel, story: str) -> None:
    text = first_tokens(minilm.tokenize(story), 200)
    assert len(capture(minilm, text)) == 6


def test_all_logits_need_more_than_the_last(
    smollm2: LoadedModel, story: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = first_tokens(smollm2.tokenize(story), 400)
    leave(monkeypatch, 60_000_000)
    check_text(smollm2, 400)
    with pytest.raises(InputError, match="would not fit"):
        forward_logits(smollm2, text)


def test_nothing_fits_where_nothing_is_left(
    minilm: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(OWN_LIMIT, "1")
    with pytest.raises(InputError, match="a machine with more memory"):
        capture(minilm, minilm.tokenize("hi"))


def test_the_reference_and_its_maps_are_refused_too(monkeypatch: pytest.MonkeyPatch) -> None:
    activations, field = random_layer(1, 400)
    spending = Spending(torch.full((4,), 30))
    result = attend(activations, field, spending)
    layer = into_layer(activations, field)
    monkeypatch.setenv(OWN_LIMIT, "1")
    with pytest.raises(InputError, match="HSA of 400 queries over 400 tokens would not fit"):
        attend(activations, field, spending)
    with pytest.raises(InputError, match="Two maps of 400 × 400 weights would not fit"):
        compare_head(result, layer)
