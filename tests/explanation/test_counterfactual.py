"""A splat closed, removed, replaced: against sums written out by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from hsa.attention import exact
from hsa.attention.effective import effective_weights
from hsa.attention.opening import Opening
from hsa.attention.reference import attend
from hsa.attention.result import HSAResult
from hsa.attention.spending import Spending
from hsa.attention.views import FramedLayer, block_views, into_layer
from hsa.errors import FieldError, InputError
from hsa.explanation.counterfactual import WHATS, counterfactual
from hsa.explanation.forced_cut import forced
from hsa.field.by_id import node_of_row, splat_row
from tests.attention.random_layers import random_layer

TOKENS = 60


def one_head(
    reads: int, causal: bool = True, seed: int = 3, tilt: float = 1.0
) -> tuple[HSAResult, FramedLayer]:
    given, field = random_layer(seed, TOKENS, 1, 1, causal=causal)
    field = replace(field, tilt=tilt * field.tilt)
    return attend(given, field, Spending(torch.tensor([reads]))), into_layer(given, field)


def used(layer: FramedLayer) -> list[tuple[int, int, Tensor]]:
    """(id, level, its keys) of every splat that holds a key."""
    found = []
    for splat_id in layer.field.splat_id[0].tolist():
        node = node_of_row(layer.tree, 0, splat_row(layer.field, 0, splat_id))
        if node is not None:
            level = int(layer.tree.level[0, node])
            found.append((splat_id, level, layer.tree.key_node[0, :, level] == node))
    return found


def renormalised(weight: Tensor, gone: Tensor) -> Tensor:
    """Row by row, key by key."""
    left = weight.double().clone()
    for query in range(TOKENS):
        left[query, gone] = 0
        seen = (torch.arange(TOKENS) <= query) & ~gone
        if not bool(seen.any()):
            left[query] = 0
            left[query, query] = 1
        left[query] /= left[query].sum()
    return left


def test_removed_is_the_rest_renormalised_in_both_attentions() -> None:
    result, layer = one_head(8)
    hsa = effective_weights(result, layer)[0]
    standard = exact.weights(layer.activations)[0]
    for splat_id, _, keys in used(layer):
        found = counterfactual(result, layer, splat_id)
        for weight, given in ((hsa, found.of("removed").output),
                              (standard, found.removed_from_standard)):  # fmt: skip
            wanted = renormalised(weight, keys) @ layer.v[0].double()
            assert torch.allclose(given.double(), wanted, atol=2e-5)


@pytest.mark.parametrize("causal", [True, False])
def test_replaced_everywhere_is_standard_attention(causal: bool) -> None:
    """A field of one Document: with it read as tokens no splat is left."""
    given, field = random_layer(5, TOKENS, 1, 1, causal=causal, splats=(1, 4, 9))
    result = attend(given, field, Spending(torch.tensor([6])))
    layer = into_layer(given, field)
    found = counterfactual(result, layer, int(field.splat_id[0, 0]))
    wanted = exact.output(given, exact.weights(given))[0]
    assert found.total_hsa_error > 1e-3
    assert torch.allclose(found.of("replaced").output, wanted, atol=1e-5)
    assert found.of("replaced").total_error < 1e-5


def test_closed_answers_by_the_closed_form_in_every_row() -> None:
    """All other keys are read, so the row is their sum and one closed answer, written out."""
    result, layer = one_head(10_000)
    x, v, y = (of.double() for of in (layer.x[0], layer.v[0], layer.y[0, 0]))
    checked = leaning = 0
    for splat_id, level, keys in used(layer):
        closed = counterfactual(result, layer, splat_id).of("closed").output.double()
        for block in result.blocks:
            far = block.far & keys
            n, standing = int(far.sum()), level
            while standing < 2 and layer.tree.key_node[0, far, standing + 1].unique().numel() == 1:
                standing += 1  # Its only child with far keys stands for it.
            temper, tilt = (
                float(of[0, 0, standing]) for of in (layer.field.temper, layer.field.tilt)
            )
            for query in block.queries.tolist() if n else []:
                own = x[far]
                u = float((y[query].square() * own.var(0, correction=0)).sum())
                mass = n * torch.exp(y[query] @ own.mean(0) + 0.5 * temper * u / (1 + 0.01 * u))
                lean = tilt / (1 + 0.1 * u) * ((own - own.mean(0)) @ y[query])
                others = (torch.arange(TOKENS) <= query) & ~far
                each = torch.exp(x[others] @ y[query])
                total = each.sum() + mass
                shares = mass / n / total * (1 + lean)
                if float(-shares.clamp_max(0).sum()) > 0.02:
                    shares = (mass / n / total).expand(n)
                elif n > 1:
                    leaning += 1
                wanted = each / total @ v[others] + shares @ v[far]
                assert torch.allclose(closed[query], wanted, atol=1e-4), (splat_id, query)
                checked += 1
    assert checked > 300 and leaning > 100


def test_what_is_already_so_keeps_its_bits() -> None:
    result, layer = one_head(6)
    shut = 0
    for splat_id, level, _ in used(layer):
        node = node_of_row(layer.tree, 0, splat_row(layer.field, 0, splat_id))
        found = counterfactual(result, layer, splat_id)
        for block in result.blocks:
            closed = block.queries[block.closed[0, 0, :, node]]
            assert torch.equal(found.of("closed").output[closed], found.hsa_output[closed])
            opened = block.queries[block.opened[0, 0, :, node]]
            if level == 2:
                assert torch.equal(found.of("replaced").output[opened], found.hsa_output[opened])
            shut += closed.numel()
    assert shut > 50
    assert torch.allclose(found.hsa_output, result.output[0], atol=1e-5)


@pytest.mark.parametrize("reads", [3, 8, 10_000])
def test_a_forced_cut_covers_every_far_key_once_and_differs_in_its_splat_alone(reads: int) -> None:
    result, layer = one_head(reads)
    covered = 0
    for view, block in zip(block_views(layer, result.queries), result.blocks, strict=True):
        given = Opening(*(
            rows.flatten(1, 2) for rows in (block.closed, block.opened, block.reads, block.raised)
        ))  # fmt: skip
        for node in range(layer.tree.nodes):
            cuts = [forced(view, given, block.exact.flatten(1, 2), node, closed=c) for c in (1, 0)]
            own = (layer.tree.key_node[0] == node).any(1) & block.far
            answered = []
            for cut, whole in cuts:
                by_splat = cut.closed[0][:, layer.tree.key_node[0]].sum(2)
                by_token = cut.opened[0][:, layer.tree.key_node[0, :, 2]] | whole[0].unsqueeze(1)
                assert bool(((by_splat + by_token.long())[:, block.far] == 1).all())
                answered.append(by_splat)
            if bool(own.any()):
                closed, replaced = answered
                assert bool((closed[:, own] == 1).all()) and bool((replaced[:, own] == 0).all())
                assert torch.equal(closed[:, block.far & ~own], replaced[:, block.far & ~own])
                covered += 1
    assert covered > 40


def test_an_empty_splat_changes_nothing_bit_for_bit() -> None:
    result, layer = one_head(8)
    held = {splat_id for splat_id, _, _ in used(layer)}
    empty = [i for i in layer.field.splat_id[0].tolist() if i not in held]
    assert empty
    found = counterfactual(result, layer, empty[0])
    for what in WHATS:
        assert torch.equal(found.of(what).output, found.hsa_output)
        assert found.of(what).rows_changed == 0 and found.of(what).total_change == 0
    assert torch.equal(found.removed_from_standard, found.standard_output)


def test_it_refuses_what_it_cannot_run() -> None:
    result, layer = one_head(8)
    with pytest.raises(FieldError, match="no such splat"):
        counterfactual(result, layer, 999)
    given, field = random_layer(3, TOKENS, 2, 2)
    spending = Spending(torch.tensor([8] * 4))
    with pytest.raises(InputError, match="one head"):
        counterfactual(attend(given, field, spending), into_layer(given, field), 0)


@pytest.mark.parametrize("tokens", [1, 2, 5])
@pytest.mark.parametrize("causal", [True, False])
def test_texts_of_few_tokens_have_counterfactuals(tokens: int, causal: bool) -> None:
    given, field = random_layer(4, tokens, 1, 1, causal=causal)
    result = attend(given, field, Spending(torch.tensor([3])))
    layer = into_layer(given, field)
    for splat_id, _, keys in used(layer):
        found = counterfactual(result, layer, splat_id)
        assert torch.allclose(found.hsa_output, result.output[0], atol=1e-5)
        assert found.own_token_rows == int((~(given.visible() & ~keys).any(1)).sum())
        assert bool(torch.isfinite(found.removed_from_standard).all())
