"""The fidelity protocol on real models with the fields that ship."""

from __future__ import annotations

from functools import cache

import pytest
import torch

from hsa.attention import exact
from hsa.attention.near import NearKeys
from hsa.attention.views import block_views, into_layer
from hsa.evaluation.fidelity import METHODS, Fidelity, fidelity, protocol_queries
from hsa.evaluation.methods import oracle_rows, page_rows, read_rows
from hsa.field.shipped import shipped_field
from hsa.fitting.windows import first_tokens
from hsa.models.capture import capture
from hsa.models.loaded import LoadedModel


@cache
def minilm_table(minilm: LoadedModel, story: str) -> Fidelity:
    captured = capture(minilm, first_tokens(minilm.tokenize(story), 256), [0, 3, 5])
    return fidelity(captured, shipped_field("minilm", minilm.fingerprint), 64, "per_head")


def test_minilm_beats_the_oracle_at_its_reads(minilm: LoadedModel, story: str) -> None:
    table = minilm_table(minilm, story).summary()
    assert tuple(table) == METHODS
    assert table["hsa"]["reads"] <= 64
    assert table["hsa"]["mean"] < 0.7 * table["oracle_topk"]["mean"]
    assert table["hsa"]["mean"] < 0.2 * table["opened_only"]["mean"]
    assert table["hsa"]["mean"] < table["centroid"]["mean"]
    assert table["oracle_topk"]["mean"] < table["pages"]["mean"] < table["window"]["mean"]


def test_minilm_measures_are_consistent(minilm: LoadedModel, story: str) -> None:
    measures = minilm_table(minilm, story).measures
    for method, of in measures.items():
        assert of["error"].shape == (3, 12), method
        assert bool((of["total_variation"] >= 0).all()), method
        assert bool((of["kl_nats"] >= -1e-5).all()), method
    reads = measures["hsa"]["reads"]
    assert torch.equal(measures["oracle_same_reads"]["reads"], reads.floor())
    assert float(measures["window"]["reads"].max()) == 0


def test_smollm2_beats_the_oracle_in_the_hard_layer(smollm2: LoadedModel, story: str) -> None:
    captured = capture(smollm2, first_tokens(smollm2.tokenize(story), 1024), [3, 18])
    table = fidelity(captured, shipped_field("smollm2", smollm2.fingerprint), 114).summary()
    assert table["hsa"]["mean"] < 0.7 * table["oracle_topk"]["mean"]
    assert table["hsa"]["worst"] < table["oracle_topk"]["worst"]
    assert table["hsa"]["mean"] < 0.25 * table["opened_only"]["mean"]


def test_queries_are_the_last_256_that_hold_text(minilm: LoadedModel, story: str) -> None:
    tokens = first_tokens(minilm.tokenize(story), 100)
    activations = capture(minilm, tokens, [0])[0]
    assert protocol_queries(activations).tolist() == list(range(1, 99))


@pytest.mark.parametrize("tokens", [1024, 4096])
def test_near_keys_are_the_protocols(tokens: int) -> None:
    near = NearKeys.for_length(tokens, causal=True)
    queries = torch.arange(tokens - 256, tokens)
    special = torch.zeros(tokens, dtype=torch.bool)
    counts = []
    for block in near.blocks(queries, special, causal=True):
        mask = block.near(causal=True)
        assert bool(mask[:, :4].all())
        counts += (mask.sum(1) - 4).tolist()
    assert (min(counts), max(counts)) == (64, 127)


def test_rivals_with_every_key_are_exact(minilm: LoadedModel, story: str) -> None:
    tokens = first_tokens(minilm.tokenize(story), 96)
    activations = capture(minilm, tokens, [2])[2]
    field = shipped_field("minilm", minilm.fingerprint).layer(2)
    queries = torch.arange(40, 60)
    wanted = exact.weights(activations, queries)
    for view in block_views(into_layer(activations, field), queries):
        here = torch.isin(queries, view.block.queries)
        all_far = torch.full(view.logits.shape[:2], 96)
        for rows in (
            oracle_rows(view, all_far),
            page_rows(view, all_far),
            read_rows(view, (view.near | view.block.far).expand_as(view.logits), all_far, 0.0),
        ):
            given = rows.weights.flatten(0, 1).view(12, -1, 96)
            assert torch.allclose(given, wanted[:, here], atol=1e-6)
