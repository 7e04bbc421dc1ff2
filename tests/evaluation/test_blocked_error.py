"""Errors of blocked HSA and of the same reads without splats, against the plain definition."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from hsa.activations import Activations
from hsa.attention import exact
from hsa.attention.block_plan import BlockPlan
from hsa.attention.blocked import BlockedResult, blocked_attention
from hsa.evaluation.blocked_error import (
    HeadErrors,
    head_errors,
    last_reads,
    near_keys,
    opened_keys,
    sampled_queries,
)
from hsa.field.layer_field import LayerField
from tests.attention.random_layers import random_layer

TOKENS = 237
PLAN = BlockPlan(block=16, splats=14, tokens=24, scored=4, chunk=3)


def measured(plan: BlockPlan = PLAN) -> tuple[Activations, LayerField, BlockedResult]:
    a, field = random_layer(5, TOKENS, 2, 3)
    return a, field, blocked_attention(a.q, a.k, a.v, a.scaling, field, plan, keep=True)


def test_near_keys_are_the_references() -> None:
    queries = torch.arange(TOKENS)
    special = torch.zeros(TOKENS, dtype=torch.bool)
    found = near_keys(queries, TOKENS, PLAN)
    blocks = 0
    for block in PLAN.near.blocks(queries, special, causal=True):
        assert torch.equal(found[block.queries], block.near(causal=True))
        blocks += 1
    assert blocks > 10


def test_sampled_queries_lie_in_the_second_half() -> None:
    queries = sampled_queries(1000, 5)
    assert queries.tolist() == [500, 625, 750, 874, 999]
    assert sampled_queries(9).tolist() == [4, 5, 6, 7, 8]


def test_opened_keys_are_far_and_no_more_than_the_plan_allows() -> None:
    a, _, result = measured()
    queries = torch.arange(TOKENS)
    opened = opened_keys(result, queries, a, PLAN)
    assert opened.shape == (6, TOKENS, TOKENS)
    assert not (opened & near_keys(queries, TOKENS, PLAN)).any()
    assert 0 < opened.sum(-1).max() <= PLAN.tokens
    assert torch.equal(opened[0], opened[2]) and not torch.equal(opened[0], opened[3])
    # Blocks 0 and 1 have no far keys; one opening serves all queries of a block.
    assert not opened[:, :32].any()
    assert torch.equal(opened[:, 64], opened[:, 79])


def test_errors_query_by_query() -> None:
    a, _, result = measured()
    queries = torch.tensor([130, 200, 236])
    found = head_errors(a, result, PLAN, queries)
    opened = opened_keys(result, queries, a, PLAN)
    for head in range(6):
        k, v = a.k[head // 3].double(), a.v[head // 3].double()
        sums = torch.zeros(3, dtype=torch.float64)
        for row, query in enumerate(queries.tolist()):
            seen = list(range(query + 1))
            near = [j for j in seen if j < 4 or j >= (query // 16 - 1) * 16]
            read = near + [j for j in seen if opened[head, row, j]]

            logits = a.scaling * k @ a.q[head, query].double()
            wanted, opened_only, window = (
                logits[keys].softmax(0) @ v[keys] for keys in (seen, read, near)
            )
            given = result.output.flatten(0, 1)[head, query].double()
            outputs = (given, opened_only, window)
            sums += torch.stack([(o - wanted).norm() / wanted.norm() for o in outputs])
        errors = torch.stack([found.hsa[head], found.opened_only[head], found.window[head]])
        torch.testing.assert_close(errors.double(), sums / 3, atol=1e-5, rtol=1e-4)


def test_splats_take_error_off() -> None:
    a, _, result = measured()
    errors = head_errors(a, result, PLAN, sampled_queries(TOKENS))
    assert 0 < errors.hsa.mean() < errors.opened_only.mean() < errors.window.mean()


def test_what_no_budget_and_every_budget_leave() -> None:
    queries = sampled_queries(TOKENS)

    def errors(splats: int, tokens: int) -> HeadErrors:
        plan = BlockPlan(block=16, splats=splats, tokens=tokens, scored=4, chunk=3)
        a, _, result = measured(plan)
        return head_errors(a, result, plan, queries)

    none = errors(splats=14, tokens=0)
    torch.testing.assert_close(none.opened_only, none.window)
    assert errors(splats=4000, tokens=4000).hsa.max() < 1e-5


def test_reads_of_the_last_query() -> None:
    a, _, result = measured()
    reads = last_reads(result, PLAN, TOKENS)
    assert reads.near == 4 + 16 + 237 % 16
    opening = result.openings[-1]
    assert reads.splats == pytest.approx(opening.splat_there[-1].sum() / 2)
    opened = opened_keys(result, torch.tensor([236]), a, PLAN)
    assert reads.tokens == pytest.approx(float(opened.sum()) / 6)
    splats = 27  # Sections and Phrases of the field; some of them may be empty
    assert splats * 4 / 16 * 0.7 < reads.choosing <= splats * 4 / 16
    assert reads.total == reads.near + reads.splats + reads.tokens + reads.choosing


def test_the_exact_output_errs_by_nothing() -> None:
    a, _, result = measured()
    output = exact.output(a, exact.weights(a)).unflatten(0, (2, 3))
    perfect = replace(result, output=output)
    assert head_errors(a, perfect, PLAN, sampled_queries(TOKENS)).hsa.max() < 1e-6
