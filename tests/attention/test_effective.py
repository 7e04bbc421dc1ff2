"""Effective weights and sparse rows against the definition."""

from __future__ import annotations

import pytest
import torch

from hsa.activations import Activations
from hsa.attention import exact
from hsa.attention.effective import cut_rows, effective_weights
from hsa.attention.reference import attend
from hsa.attention.result import HSAResult
from hsa.attention.sparse_rows import sparse_rows
from hsa.attention.spending import Spending
from hsa.attention.views import FramedLayer, into_layer
from hsa.errors import InputError
from tests.attention.random_layers import random_layer, relative
from tests.attention.slow import SlowHead


def attended(
    reads: int, causal: bool = True, queries: torch.Tensor | None = None
) -> tuple[Activations, FramedLayer, HSAResult]:
    activations, field = random_layer(21, 70, 2, 2, causal=causal)
    spending = Spending(torch.full((4,), reads))
    layer = into_layer(activations, field)
    return activations, layer, attend(activations, field, spending, queries)


@pytest.mark.parametrize("causal", [True, False])
def test_weights_are_the_definition(causal: bool) -> None:
    activations, layer, result = attended(9, causal)
    dense = effective_weights(result, layer)
    near = layer.near
    compared = 0
    for head in range(4):
        slow = SlowHead(activations, layer.field, head, (near.sinks, near.window, near.step))
        for query in range(2, 70, 9):
            wanted = slow.attend(query, 9)
            if wanted.closest_call < 1e-4:
                continue
            row = torch.zeros(70, dtype=torch.float64)
            for key, weight in wanted.weights.items():
                row[key] = weight
            assert float((dense[head, query] - row).abs().max()) < 1e-5
            compared += bool(wanted.closed)
    assert compared > 15


def test_weights_of_a_full_budget_are_softmax() -> None:
    activations, layer, result = attended(70)
    assert relative(effective_weights(result, layer), exact.weights(activations)) < 2e-6


def test_rows_come_in_the_order_asked_for() -> None:
    _, layer, result = attended(9, queries=torch.tensor([60, 10, 35, 61]))
    dense = effective_weights(result, layer, heads=[3])
    some = effective_weights(result, layer, heads=[3], queries=[35, 60])
    assert dense.shape == (1, 4, 70) and torch.equal(some[0], dense[0, [2, 0]])
    assert not dense[0, 1, 11:].any() and dense[0, 0, 11:].any()
    outputs = torch.empty(4, result.output.shape[-1], dtype=torch.float64)
    for cut in cut_rows(result, layer, 3):
        assert torch.equal(cut.queries, result.queries[cut.place])
        outputs[cut.place] = cut.output
    assert torch.equal(outputs.float(), result.output[3])


def test_what_was_not_computed_is_refused() -> None:
    _, layer, result = attended(9, queries=torch.tensor([60, 10]))
    with pytest.raises(InputError, match="not computed"):
        effective_weights(result, layer, queries=[11])
    with pytest.raises(InputError, match="no such head"):
        effective_weights(result, layer, heads=[4])


@pytest.mark.parametrize("causal", [True, False])
def test_sparse_rows_read_out_are_the_dense_rows(causal: bool) -> None:
    queries = torch.tensor([69, 8, 40, 41, 3])
    _, layer, result = attended(9, causal, queries)
    dense = effective_weights(result, layer)
    splats_seen = 0
    for head in range(4):
        rows = sparse_rows(result, layer, head)
        assert torch.equal(rows.queries, queries)
        group = head // 2
        assert rows.key_start[-1] == rows.key.numel()
        assert rows.splat_start[-1] == rows.node.numel()
        for at, query in enumerate(queries.tolist()):
            keys = slice(int(rows.key_start[at]), int(rows.key_start[at + 1]))
            splats = slice(int(rows.splat_start[at]), int(rows.splat_start[at + 1]))
            total = rows.key_weight[keys].sum() + rows.splat_weight[splats].sum()
            assert float(total) == pytest.approx(1, abs=1e-5)
            assert torch.allclose(
                rows.key_weight[keys].float(), dense[head, at, rows.key[keys]], atol=1e-6
            )
            below = layer.tree.key_node[group]
            answered = 0
            for entry in range(splats.start, splats.stop):
                node = int(rows.node[entry])
                level = int(rows.level[entry])
                own = (below[:, level] == node) & ~torch.isin(torch.arange(70), rows.key[keys])
                if causal:
                    own &= torch.arange(70) < query
                assert int(own.sum()) == int(rows.splat_count[entry])
                mass = float(rows.splat_weight[entry])
                assert float(dense[head, at, own].sum()) == pytest.approx(mass, abs=1e-5)
                row = int(layer.tree.row[group, node])
                assert int(rows.row[entry]) == row
                assert int(rows.splat_id[entry]) == int(layer.field.splat_id[group, row])
                assert int(layer.field.level[group, row]) == level
                answered += int(own.sum())
            assert answered + rows.key[keys].numel() == (query + 1 if causal else 70)
            splats_seen += splats.stop - splats.start
    assert splats_seen > 20
