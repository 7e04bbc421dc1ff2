"""HSA in one layer or one head at a time."""

from __future__ import annotations

import pytest
import torch

from hsa.errors import InputError
from hsa.evaluation.which_matter import which_matter
from hsa.field.shipped import shipped_field
from hsa.fitting.windows import first_tokens
from hsa.inference.agreement import agreement
from hsa.inference.guard import Guard
from hsa.inference.plan import run_plan
from tests.first_layers import field_of_first, first_layers

TOKENS, READS = 64, 40


def test_one_at_a_time_is_a_run_with_that_beta(smollm2, story: str) -> None:
    model = first_layers(smollm2, layers=4)
    field = field_of_first(shipped_field("smollm2", smollm2.fingerprint), model)
    tokens = first_tokens(model.tokenize(story), TOKENS)
    plan = run_plan(field, TOKENS, READS)
    layers, heads = which_matter(model, field, plan, tokens, 1, [0, 3])
    assert {row.layer for row in layers} == {0, 3} and len(heads) == 9
    assert [row.kl_nats for row in layers] == sorted((r.kl_nats for r in layers), reverse=True)
    assert {row.layer for row in heads} == {layers[0].layer}
    assert {row.head for row in heads} == set(range(9))
    for row in (layers[0], heads[0]):
        beta = torch.zeros(4, 9)
        beta[row.layer, slice(None) if row.head is None else row.head] = 1
        trusting = Guard(bound=1e6, checked=0)
        run = agreement(model, field, plan.with_beta(beta), tokens, guard=trusting)
        assert row.kl_nats == pytest.approx(float(run.kl_nats.mean()), rel=1e-4, abs=1e-9)
        assert 0 < row.kl_nats != row.opened_only_kl_nats
        assert 0 < row.reads <= TOKENS


def test_what_replaces_nothing_is_refused(smollm2, story: str) -> None:
    field = shipped_field("smollm2", smollm2.fingerprint)
    tokens = first_tokens(smollm2.tokenize(story), TOKENS)
    plan = run_plan(field, TOKENS, READS)
    for given, worst, among, said in (
        (run_plan(field, TOKENS, TOKENS), 0, None, "replaces nothing"),
        (plan, 3, [0, 1], "not tried"),
        (plan, 1, [30], "no such layer"),
    ):
        with pytest.raises(InputError, match=said):
            which_matter(smollm2, field, given, tokens, worst, among)
