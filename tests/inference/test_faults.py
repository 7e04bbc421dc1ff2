"""What goes wrong inside HSA, in real tensors: answered by standard attention, counted, told."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.utils._pytree import tree_leaves

from hsa.inference.guard import Guard
from hsa.inference.hsa_program import HSAProgram
from tests.attention.block_layers import LargestMade, Watching
from tests.inference.tiny import (
    ALL,
    PART,
    TRUSTING,
    damaged,
    pass_through,
    plan_of,
)
from tests.inference.watched import run, with_keys

WIDE = replace(PART, chunk=16)
"""All blocks at once, which takes the most memory."""


@pytest.mark.parametrize("number", [torch.nan, torch.inf, 1e30, 3e19])
def test_keys_that_are_not_finite_or_huge_fall_back_by_head(llama, unseen, caplog, number) -> None:
    """The first key/value head of layer 1 is broken; its heads are 0 and 1."""
    loaded, field = llama
    broken = with_keys(loaded, 1, lambda weight: weight[:8].fill_(number))
    field = replace(field, fingerprint=broken.fingerprint)
    whole = HSAProgram(broken, field, plan_of(broken, PART, 16), guard=TRUSTING)
    run(whole, unseen, caplog)
    fell = {(n.layer, n.head) for n in whole.ledger.notices if n.kind == "fallback"}
    assert {(1, 0), (1, 1)} == {(layer, head) for layer, head in fell if layer == 1}
    assert not any(layer == 0 for layer, _ in fell)
    assert all("not finite" in n.message for n in whole.ledger.notices if n.kind == "fallback")
    only = torch.zeros(3, 4)
    only[1, :2] = 1
    ours = run(HSAProgram(broken, field, whole.plan.with_beta(only), guard=TRUSTING), unseen)
    usual = pass_through(broken, None, **unseen)
    torch.testing.assert_close(ours, usual, atol=0, rtol=0, equal_nan=True)
    full = HSAProgram(broken, field, plan_of(broken, ALL, 400), guard=TRUSTING)
    torch.testing.assert_close(run(full, unseen), usual, atol=5e-4, rtol=1e-3, equal_nan=True)


@pytest.mark.parametrize("name", ["frame", "position"])
def test_a_field_that_is_not_a_number_falls_back(llama, unseen, caplog, name) -> None:
    """That layer alone, in all its heads; the others stay as they are."""
    loaded, field = llama
    nothing = torch.full_like(getattr(field.heads[2][0], name), torch.nan)
    plan = plan_of(loaded, PART, 16)
    broken = HSAProgram(loaded, damaged(field, 2, **{name: nothing}), plan, guard=TRUSTING)
    ours = run(broken, unseen, caplog)
    assert broken.ledger.fallbacks > 0
    assert {notice.layer for notice in broken.ledger.notices} == {2}
    without = HSAProgram(loaded, field, plan.with_beta(torch.tensor([1.0, 1, 0])), guard=TRUSTING)
    assert torch.equal(ours, run(without, unseen))


def test_empty_splats_say_nothing_and_cost_nothing(llama, unseen) -> None:
    """Two Phrases in three lie where no key ever is."""
    loaded, field = llama
    away = []
    for head in field.heads[1]:
        position = head.position.clone()
        rows = (head.level == 2).nonzero().flatten()[4:]
        position[rows] += 1e4
        away.append(replace(head, position=position))
    emptied = replace(field, heads=(field.heads[0], tuple(away), field.heads[2]))
    part = HSAProgram(loaded, emptied, plan_of(loaded, PART, 16), guard=TRUSTING)
    assert bool(torch.isfinite(run(part, unseen)).all())
    assert part.ledger.fallbacks == 0
    assert part.ledger.reads[1].sum() < part.ledger.keys[1].sum()
    full = HSAProgram(loaded, emptied, plan_of(loaded, ALL, 400), guard=TRUSTING)
    usual = pass_through(loaded, None, **unseen)
    torch.testing.assert_close(run(full, unseen), usual, atol=5e-4, rtol=1e-3)


def test_a_field_of_another_shape_falls_back_in_that_layer(llama, unseen, caplog) -> None:
    """Half as many dimensions as the keys have, and a field with a layer too few."""
    loaded, field = llama
    narrow = tuple(
        replace(head, frame=head.frame[:4, :4], position=head.position[:, :4],
                log_spread=head.log_spread[:, :4])
        for head in field.heads[1]
    )  # fmt: skip
    narrow = replace(field, heads=(field.heads[0], narrow, field.heads[2]))
    for wrong, layer in ((narrow, 1), (replace(field, heads=field.heads[:2]), 2)):
        program = HSAProgram(loaded, wrong, plan_of(loaded, ALL, 400))
        ours = run(program, unseen)
        assert [(n.layer, n.head) for n in program.ledger.notices] == [(layer, None)]
        usual = pass_through(loaded, None, **unseen)
        torch.testing.assert_close(ours, usual, atol=5e-4, rtol=1e-3)
    messages = [r.message for r in caplog.records if r.name == "hsa.inference"]
    assert len(messages) == 2
    assert "no such layer" in messages[1]


class LimitedMemory(Watching):
    """An allocator that refuses tensors of more bytes than this."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit
        self.refused = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(made):
            if isinstance(leaf, torch.Tensor) and leaf.untyped_storage().nbytes() > self.limit:
                self.refused += 1
                raise torch.OutOfMemoryError(f"Tried to allocate more than {self.limit} bytes")
        return made


def limit_between(loaded, field, unseen):
    """Bytes that standard attention stays under and HSA does not."""
    with LargestMade() as usual:
        pass_through(loaded, None, **unseen)
    program = HSAProgram(loaded, field, plan_of(loaded, WIDE, 16), guard=TRUSTING)
    with LargestMade() as hsa:
        pass_through(loaded, program, **unseen)
    assert usual.bytes < hsa.bytes
    return (usual.bytes + hsa.bytes) // 2


def test_out_of_memory_falls_back_and_lowers_beta(llama, unseen, caplog) -> None:
    loaded, field = llama
    guard = Guard(bound=1e6, patience=1)
    program = HSAProgram(loaded, field, plan_of(loaded, WIDE, 16), guard=guard)
    with LimitedMemory(limit_between(loaded, field, unseen)) as memory:
        ours = run(program, unseen, caplog)
    assert memory.refused == program.ledger.fallbacks == 3
    assert torch.equal(ours, pass_through(loaded, None, **unseen))
    first, *changes = program.ledger.notices[:5]
    assert "OutOfMemoryError: Tried to allocate" in first.message
    assert [n.message for n in changes] == ["failure 1 times: β x 0.5 from now on"] * 4
    assert program.ledger.adjustments == 12
    for beta in (0.25, 0.125, 0.0):
        with LimitedMemory(memory.limit):
            run(program, unseen)
        assert bool((program.health.beta == beta).all())
    fallbacks = program.ledger.fallbacks
    run(program, unseen)
    assert program.ledger.fallbacks == fallbacks, "heads that were given up are not tried again"
