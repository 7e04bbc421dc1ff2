"""A head of blocked HSA in the reference's words: its weights from the definition, said slowly."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from hsa.activations import Activations
from hsa.attention.block_plan import BlockPlan
from hsa.attention.blocked_head import BlockedHead, blocked_head
from hsa.attention.effective import effective_weights
from hsa.evaluation.blocked_difference import blocked_difference
from hsa.explanation.checks import check_explanations
from hsa.explanation.pair import explain_pair
from hsa.field.layer_field import LayerField
from tests.attention.block_layers import DIRECTIONS, FULL, PLAN, attended, block_layer, turned
from tests.attention.random_layers import relative
from tests.attention.slow_blocks import SlowBlocks


def slow_weights(layer: Activations, field: LayerField, plan: BlockPlan, head: int) -> Tensor:
    """[T, T]: softmax over near keys, opened tokens and closed splats, each spread evenly."""
    slow = SlowBlocks(layer, field, plan)
    run = attended(layer, field, plan, keep=True)
    group, tokens = head // slow.heads, layer.tokens
    weights = torch.zeros(tokens, tokens, dtype=torch.float64)
    for query in range(tokens):
        block = query // plan.block
        opening = run.openings[block // plan.chunk]
        where = (block % plan.chunk, group)
        for j in [*slow.near(query), *opening.token[where][opening.token_there[where]].tolist()]:
            weights[query, j] = math.exp(
                slow.scaling * float(slow.k[group, j] @ slow.q[head, query])
            )
        for row in opening.splat[where][opening.splat_there[where]].tolist():
            splat = slow.held(group, block)[row]
            mass = math.exp(float(slow.log_mass(head, query, row, splat)))
            weights[query, splat.keys] = mass / len(splat.keys)
    return weights / weights.sum(1, keepdim=True)


def one_head(
    layer: Activations, field: LayerField, plan: BlockPlan, head: int, **more
) -> BlockedHead:
    """As a page asks for it: the head's group alone."""
    group, member = divmod(head, layer.group)
    heads = slice(group * layer.group, (group + 1) * layer.group)
    own = replace(
        layer, q=layer.q[heads], k=layer.k[group : group + 1], v=layer.v[group : group + 1]
    )
    return blocked_head(own, field.group(group), plan, member, **more)


@DIRECTIONS
@pytest.mark.parametrize(("tokens", "head"), [(60, 0), (61, 3), (70, 1), (33, 2), (9, 0), (1, 1)])
def test_weights_are_those_of_the_slow_definition(tokens: int, head: int, causal: bool) -> None:
    layer, field = block_layer(1, tokens)
    layer, plan = turned(layer, PLAN, causal)
    found = one_head(layer, field, plan, head)
    weights = effective_weights(found.blocked, found.framed)[0]
    torch.testing.assert_close(
        weights.double(), slow_weights(layer, field, plan, head), atol=2e-6, rtol=0
    )
    group, member = divmod(head, 2)
    run = attended(layer, field, plan).output[group, member]
    assert torch.equal(found.blocked.output[0], run), "the output that the blocks gave"
    assert relative(weights @ layer.v[group], run) < 1e-5


def test_a_stretch_of_queries_is_that_part_of_all() -> None:
    layer, field = block_layer(1, 60)
    everything = one_head(layer, field, PLAN, 1)
    part = one_head(layer, field, PLAN, 1, queries=torch.arange(21, 43))
    for name in ("blocked", "reference"):
        whole = effective_weights(getattr(everything, name), everything.framed)[0]
        some = effective_weights(getattr(part, name), part.framed)[0]
        torch.testing.assert_close(some, whole[21:43], atol=1e-6, rtol=0)
        output = getattr(everything, name).output[:, 21:43]
        torch.testing.assert_close(getattr(part, name).output, output, atol=1e-5, rtol=0)


@DIRECTIONS
@pytest.mark.parametrize("head", [0, 3])
def test_every_weight_is_the_product_of_its_shares(head: int, causal: bool) -> None:
    """The three checks of an explanation, and what was done with each splat has a name."""
    layer, field = block_layer(4, 60)
    layer, plan = turned(layer, PLAN, causal)
    found = one_head(layer, field, plan, head)
    check = check_explanations(found.blocked, found.framed)
    assert check.passed, check
    assert check.closed_rows[1] > 0 and check.closed_rows[2] > 0 and check.closed_rows[0] == 0
    assert check.untilted_rows == 0, "blocks have no tilt: nothing was switched off"
    strings = tuple(map(str, range(60)))
    states = set()
    for query in (20, 41, 59):
        for key in range(4, query):
            pair = explain_pair(found.blocked, found.framed, strings, 0, query, key)
            assert not pair.tilted
            states |= {(share.level, share.state) for share in pair.path}
    assert {("Document", "opened"), ("Section", "opened"), ("Phrase", "closed")} <= states
    assert ("Section", "closed") in states and ("Phrase", "opened") in states


@DIRECTIONS
def test_the_reference_has_the_same_near_keys_and_no_more_reads(causal: bool) -> None:
    layer, field = block_layer(4, 60)
    layer, plan = turned(layer, PLAN, causal)
    found = one_head(layer, field, plan, 0)
    both = zip(found.blocked.blocks, found.reference.blocks, strict=True)
    closer = 0
    for blocked, own in both:
        assert torch.equal(blocked.far, own.far) and torch.equal(blocked.near_count, own.near_count)
        assert bool((own.reads <= blocked.reads.clamp_min(1)).all())
        closer += int((own.closed != blocked.closed).any())
    assert closer > 2, "queries that open for themselves choose otherwise"
    assert check_explanations(found.reference, found.framed).passed


@DIRECTIONS
def test_at_equal_openings_both_are_one(causal: bool) -> None:
    """With room for everything nothing is closed, and both are standard attention."""
    layer, field = block_layer(2, 60)
    layer, plan = turned(layer, replace(FULL, tokens=60), causal)
    found = blocked_difference(one_head(layer, field, plan, 1))
    assert found.weights < 1e-7 and found.largest < 1e-5
    assert found.blocked.error < 1e-5 and found.reference.error < 1e-5


def test_sharing_an_opening_costs_and_is_measured() -> None:
    layer, field = block_layer(4, 120, sharpness=3.0)
    found = blocked_difference(one_head(layer, field, PLAN, 2))
    apart = (found.blocked.hsa - found.reference.hsa).abs()
    seen = torch.ones(120, 120, dtype=torch.bool).tril()
    assert found.weights == pytest.approx(float(apart[seen].mean()), rel=1e-5)
    assert found.largest == float(apart.max()) > 0
    assert found.blocked.error > found.reference.error > 0
    assert found.blocked.everything_read >= found.reference.everything_read
