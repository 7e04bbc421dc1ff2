"""Fused attention in parts against plain products under the same openings."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from hsa.attention.block_answer import answer_together
from hsa.attention.block_fused import answer_fused, can_fuse
from hsa.attention.block_scoring import shared_opening
from hsa.attention.blocks import into_blocks, tables
from tests.attention.block_layers import (
    DIRECTIONS,
    FULL,
    PLAN,
    block_layer,
    one_loud_key_in_a_closed_splat,
    turned,
)


@DIRECTIONS
@pytest.mark.parametrize("plan", [PLAN, FULL, replace(PLAN, closed_answer=False)])
@pytest.mark.parametrize("tokens", [3, 8, 17, 60])
def test_fused_is_plain(plan, tokens: int, causal: bool) -> None:
    for seed in range(4):
        layer, field = block_layer(seed, tokens)
        layer, plan = turned(layer, plan, causal)
        blocks = into_blocks(layer.q, layer.k, layer.v, layer.scaling, field, plan)
        for first, table in tables(blocks):
            opening = shared_opening(blocks, first, table)
            plain = answer_together(blocks, first, table, opening)
            torch.testing.assert_close(
                answer_fused(blocks, first, table, opening), plain, rtol=1e-5, atol=1e-5
            )


def test_fused_is_plain_at_extreme_logits() -> None:
    layer, field, plan = one_loud_key_in_a_closed_splat()
    blocks = into_blocks(layer.q, layer.k, layer.v, layer.scaling, field, plan)
    for first, table in tables(blocks):
        opening = shared_opening(blocks, first, table)
        plain = answer_together(blocks, first, table, opening)
        found = answer_fused(blocks, first, table, opening)
        assert torch.isfinite(found).all()
        torch.testing.assert_close(found, plain, rtol=1e-4, atol=1e-5)


def test_who_asks_for_gradients_goes_the_plain_way() -> None:
    layer, field = block_layer(0, 40)

    def fusable(**changed) -> bool:
        given = replace(layer, **changed)
        return can_fuse(into_blocks(given.q, given.k, given.v, given.scaling, field, PLAN))

    assert fusable()
    assert not fusable(k=layer.k.clone().requires_grad_())
    assert not fusable(v=layer.v[..., :4])
    with torch.no_grad():
        assert fusable(q=layer.q.clone().requires_grad_())
