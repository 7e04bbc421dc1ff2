"""What goes wrong inside HSA, in real tensors: answered by standard attention, counted, told."""

from __future__ import annotations

import copy
import logging
from dataclasses import replace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from hsa.errors import InputError
from hsa.inference.guard import Guard
from hsa.inference.hsa_program import HSAProgram
from hsa.models.adopt import adopt
from hsa.models.program import running
from tests.attention.block_layers import LargestMade
from tests.inference.tiny import (
    ALL,
    PART,
    TRUSTING,
    adopted,
    damaged,
    field_of,
    inputs_of,
    pass_through,
    plan_of,
    with_cache,
)

TOKENS = 60
WIDE = replace(PART, chunk=16)
"""All blocks at once, which takes the most memory."""


@pytest.fixture(scope="module")
def llama():
    loaded = adopted("llama")
    return loaded, field_of(loaded, inputs_of("llama", TOKENS, batch=3))


@pytest.fixture(scope="module")
def text():
    return inputs_of("llama", TOKENS, seed=4)


def run(program, text, caplog=None):
    """The last hidden states, with every fallback logged, counted and told alike."""
    if caplog is not None:
        caplog.clear()
    told, before = [], (program.ledger.fallbacks, program.ledger.adjustments)
    program.ledger.tell = told.append
    found = pass_through(program.loaded, program, **text)
    kinds = [notice.kind for notice in told]
    assert kinds.count("fallback") == program.ledger.fallbacks - before[0]
    assert kinds.count("adjustment") == program.ledger.adjustments - before[1]
    kept = len(program.ledger.notices) < 200
    assert not kept or program.ledger.notices[sum(before) :] == told
    if caplog is not None:
        logged = [r for r in caplog.records if r.name == "hsa.inference"]
        assert [r.levelno for r in logged] == [logging.WARNING] * len(told)
        assert all(n.message in r.message for n, r in zip(told, logged, strict=True))
    return found


def with_keys(loaded, layer, change):
    """Another model with that layer's key projection changed, and a field that accepts it."""
    model = copy.deepcopy(loaded.model)
    change(model.model.layers[layer].self_attn.k_proj.weight)
    return adopt(model, inputs_of("llama", 12))


@pytest.mark.parametrize("number", [torch.nan, torch.inf, 1e30, 3e19])
def test_keys_that_are_not_finite_or_huge_fall_back_by_head(llama, text, caplog, number) -> None:
    """The first key/value head of layer 1 is broken; its heads are 0 and 1."""
    loaded, field = llama
    broken = with_keys(loaded, 1, lambda weight: weight[:8].fill_(number))
    field = replace(field, fingerprint=broken.fingerprint)
    whole = HSAProgram(broken, field, plan_of(broken, PART, 16), guard=TRUSTING)
    run(whole, text, caplog)
    fell = {(n.layer, n.head) for n in whole.ledger.notices if n.kind == "fallback"}
    assert {(1, 0), (1, 1)} == {(layer, head) for layer, head in fell if layer == 1}
    assert not any(layer == 0 for layer, _ in fell)
    assert all("not finite" in n.message for n in whole.ledger.notices if n.kind == "fallback")
    only = torch.zeros(3, 4)
    only[1, :2] = 1
    ours = run(HSAProgram(broken, field, whole.plan.with_beta(only), guard=TRUSTING), text)
    usual = pass_through(broken, None, **text)
    torch.testing.assert_close(ours, usual, atol=0, rtol=0, equal_nan=True)
    full = HSAProgram(broken, field, plan_of(broken, ALL, 400), guard=TRUSTING)
    torch.testing.assert_close(run(full, text), usual, atol=5e-4, rtol=1e-3, equal_nan=True)


@pytest.mark.parametrize("name", ["frame", "position", "log_spread"])
def test_a_field_that_is_not_a_number_falls_back(llama, text, caplog, name) -> None:
    loaded, field = llama
    nothing = torch.full_like(getattr(field.heads[2][0], name), torch.nan)
    program = HSAProgram(loaded, damaged(field, 2, **{name: nothing}), plan_of(loaded, PART, 16))
    first = HSAProgram(loaded, field, plan_of(loaded, PART, 16))
    last = plan_of(loaded, PART, 16).beta.clone()
    last[2] = 0
    wanted = run(replace_plan(first, last), text)
    ours = run(program, text, caplog)
    assert {n.layer for n in program.ledger.notices if n.kind == "fallback"} >= {2}
    assert program.ledger.fallbacks > 0
    torch.testing.assert_close(ours, wanted, atol=5e-4, rtol=1e-3)


def replace_plan(program, beta):
    return HSAProgram(program.loaded, program.field, program.plan.with_beta(beta))


def test_empty_splats_say_nothing_and_cost_nothing(llama, text) -> None:
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
    assert bool(torch.isfinite(run(part, text)).all())
    assert part.ledger.fallbacks == 0
    assert part.ledger.reads[1].sum() < part.ledger.keys[1].sum()
    full = HSAProgram(loaded, emptied, plan_of(loaded, ALL, 400), guard=TRUSTING)
    usual = pass_through(loaded, None, **text)
    torch.testing.assert_close(run(full, text), usual, atol=5e-4, rtol=1e-3)


def test_a_field_of_another_shape_falls_back_in_that_layer(llama, text, caplog) -> None:
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
        ours = run(program, text)
        assert [(n.layer, n.head) for n in program.ledger.notices] == [(layer, None)]
        usual = pass_through(loaded, None, **text)
        torch.testing.assert_close(ours, usual, atol=5e-4, rtol=1e-3)
    messages = [r.message for r in caplog.records if r.name == "hsa.inference"]
    assert len(messages) == 2
    assert "no such layer" in messages[1]


class LimitedMemory(TorchDispatchMode):
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


def limit_between(loaded, field, text):
    """Bytes that standard attention stays under and HSA does not."""
    with LargestMade() as usual:
        pass_through(loaded, None, **text)
    program = HSAProgram(loaded, field, plan_of(loaded, WIDE, 16), guard=TRUSTING)
    with LargestMade() as hsa:
        pass_through(loaded, program, **text)
    assert usual.bytes < hsa.bytes
    return (usual.bytes + hsa.bytes) // 2


def test_out_of_memory_falls_back_and_lowers_beta(llama, text, caplog) -> None:
    loaded, field = llama
    guard = Guard(bound=1e6, patience=1)
    program = HSAProgram(loaded, field, plan_of(loaded, WIDE, 16), guard=guard)
    with LimitedMemory(limit_between(loaded, field, text)) as memory:
        ours = run(program, text, caplog)
    assert memory.refused == program.ledger.fallbacks == 3
    assert torch.equal(ours, pass_through(loaded, None, **text))
    first, *changes = program.ledger.notices[:5]
    assert "OutOfMemoryError: Tried to allocate" in first.message
    assert [n.message for n in changes] == ["failure 1 times: β x 0.5 from now on"] * 4
    assert program.ledger.adjustments == 12
    for beta in (0.25, 0.125, 0.0):
        with LimitedMemory(memory.limit):
            run(program, text)
        assert bool((program.health.beta == beta).all())
    fallbacks = program.ledger.fallbacks
    run(program, text)
    assert program.ledger.fallbacks == fallbacks, "heads that were given up are not tried again"


@pytest.mark.parametrize("blocks", [ALL, PART], ids=["full", "partial"])
@pytest.mark.parametrize("failing", [(0,), (3, 4), (0, 1, 5)])
def test_a_failure_in_the_middle_of_a_generation_is_caught_up(llama, text, blocks, failing) -> None:
    """Calls that fail are standard attention's; what follows is as if HSA had read them."""
    loaded, field = llama
    plan = plan_of(loaded, blocks, 400 if blocks is ALL else 16)
    parts = text["input_ids"].split([30, 1, 1, 7, 1, 1, 19], dim=1)
    smooth, rough = (with_cache(loaded, field, plan) for _ in range(2))
    wanted = [step(smooth, part) for part in parts]
    found = []
    for number, part in enumerate(parts):
        before = rough.ledger.fallbacks
        if number in failing:
            found.append(step_without_memory(rough, part))
            assert rough.ledger.fallbacks == before + 3
        else:
            found.append(step(rough, part))
            assert rough.ledger.fallbacks == before
    states = [program.cache.layers[0].states[0] for program in (smooth, rough)]
    assert states[0].tokens == states[1].tokens == TOKENS
    torch.testing.assert_close(states[0].scoring, states[1].scoring)
    assert torch.equal(states[0].phrase, states[1].phrase)
    if blocks is ALL:
        torch.testing.assert_close(torch.cat(found, 1), torch.cat(wanted, 1), atol=5e-4, rtol=1e-3)


def test_late_texts_are_cropped_and_reordered(llama, text) -> None:
    """Beams and drafts while HSA has still to read what it failed on."""
    loaded, field = llama
    plan = plan_of(loaded, PART, 16)
    ids = torch.cat([text["input_ids"], text["input_ids"].flip(1)])
    for kept in (44, 33, 25):
        smooth, rough = (with_cache(loaded, field, plan) for _ in range(2))
        for program, failing in ((smooth, step), (rough, step_without_memory)):
            step(program, ids[:, :30])
            failing(program, ids[:, 30:45])
            program.cache.crop(kept - 45)
            program.cache.reorder_cache(torch.tensor([1, 1]))
            step(program, ids[[1, 1], kept:])
        for one, other in zip(*(p.cache.layers[0].states for p in (smooth, rough)), strict=True):
            assert one.tokens == other.tokens == TOKENS
            torch.testing.assert_close(one.scoring, other.scoring)
            assert torch.equal(one.phrase, other.phrase)


def step(program, ids):
    with torch.no_grad(), running(program):
        return program.loaded.model(ids, past_key_values=program.cache, use_cache=True).logits


class NoRouting(TorchDispatchMode):
    """An allocator that fails when HSA asks for the inverse of a frame, and only then."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if "linalg" in str(func):
            raise torch.OutOfMemoryError("no memory for the inverse of a frame")
        return func(*args, **(kwargs or {}))


def step_without_memory(program, ids):
    with NoRouting():
        return step(program, ids)


def test_repeated_error_gets_more_reads_until_it_is_given_up(llama, text) -> None:
    loaded, field = llama
    program = HSAProgram(
        loaded, field, plan_of(loaded, PART, 4), guard=Guard(bound=0.001, patience=1)
    )
    reads = []
    for times in (2, 4, 8):
        before = program.ledger.reads.clone()
        run(program, text)
        reads.append(float((program.ledger.reads - before).sum()))
        assert float(program.health.more_reads.max()) == times
    said = [n.message for n in program.ledger.notices if n.kind == "adjustment"]
    assert said[0] == "error 1 times: reads x 2 from now on"
    assert float(program.health.beta.min()) == 1
    for _ in range(4):
        run(program, text)
    said = [n.message for n in program.ledger.notices if n.kind == "adjustment"]
    assert any("β x 0.5" in message for message in said)
    assert float(program.health.beta.min()) == 0


def test_repeated_numbers_that_are_not_finite_lower_temper_and_then_beta(llama, text) -> None:
    loaded, field = llama
    broken = with_keys(loaded, 1, lambda weight: weight[:8].fill_(3e19))
    field = replace(field, fingerprint=broken.fingerprint)
    guard = Guard(bound=1e6, patience=2)
    program = HSAProgram(broken, field, plan_of(broken, PART, 16), guard=guard)
    tempers = []
    for _ in range(10):
        run(program, text)
        tempers.append(float(program.health.temper[1, 0]))
    assert tempers[:5] == [1, 0.5, 0.5, 0.25, 0.25]
    assert float(program.health.temper[1, 2]) == 1
    assert float(program.health.beta[1, 0]) < 1
    said = [n.message for n in program.ledger.notices if n.kind == "adjustment"]
    assert said[0] == "not finite 2 times: τ x 0.5 from now on"


def test_more_reads_reach_bidirectional_heads() -> None:
    loaded = adopted("bert")
    inputs = inputs_of("bert", TOKENS, batch=1)
    field = field_of(loaded, inputs)
    program = HSAProgram(loaded, field, plan_of(loaded, PART, 4), guard=Guard(0.001, patience=1))
    reads = []
    for _ in range(2):
        run(program, inputs)
        reads.append(program.ledger.checked_error()[2, 1])
    assert float(program.health.more_reads[2, 1]) == 4
    assert reads[1] < reads[0]


def test_guards_that_make_no_sense_are_refused() -> None:
    for wrong in ({"bound": 0.0}, {"checked": -1}, {"every": 0}, {"patience": 0}):
        with pytest.raises(InputError, match=next(iter(wrong))):
            Guard(**wrong)
