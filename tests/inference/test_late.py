"""HSA fails in the middle of a text, and reads afterwards what it missed."""

from __future__ import annotations

import pytest
import torch
from torch.utils._pytree import tree_leaves

from hsa.models.program import running
from tests.attention.block_layers import Watching
from tests.inference.tiny import ALL, PART, plan_of, with_cache


@pytest.mark.parametrize("blocks", [ALL, PART], ids=["full", "partial"])
@pytest.mark.parametrize("failing", [(0,), (3, 4), (0, 1, 5)])
def test_a_failure_in_the_middle_of_a_generation_is_caught_up(
    llama, unseen, blocks, failing
) -> None:
    """Calls that fail are standard attention's; what follows is as if HSA had read them."""
    loaded, field = llama
    plan = plan_of(loaded, blocks, 400 if blocks is ALL else 16)
    parts = unseen["input_ids"].split([30, 1, 1, 7, 1, 1, 19], dim=1)
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
    assert states[0].tokens == states[1].tokens == 60
    torch.testing.assert_close(states[0].scoring, states[1].scoring)
    assert torch.equal(states[0].phrase, states[1].phrase)
    if blocks is ALL:
        torch.testing.assert_close(torch.cat(found, 1), torch.cat(wanted, 1), atol=5e-4, rtol=1e-3)


def test_late_texts_are_cropped_and_reordered(llama, unseen) -> None:
    """Beams and drafts while HSA has still to read what it failed on."""
    loaded, field = llama
    plan = plan_of(loaded, PART, 16)
    ids = torch.cat([unseen["input_ids"], unseen["input_ids"].flip(1)])
    for kept in (44, 33, 25):
        smooth, rough = (with_cache(loaded, field, plan) for _ in range(2))
        for program, failing in ((smooth, step), (rough, step_without_memory)):
            step(program, ids[:, :30])
            failing(program, ids[:, 30:45])
            program.cache.crop(kept - 45)
            program.cache.reorder_cache(torch.tensor([1, 1]))
            step(program, ids[[1, 1], kept:])
        for one, other in zip(*(p.cache.layers[0].states for p in (smooth, rough)), strict=True):
            assert one.tokens == other.tokens == 60
            torch.testing.assert_close(one.scoring, other.scoring)
            assert torch.equal(one.phrase, other.phrase)


def step(program, ids):
    with torch.no_grad(), running(program):
        return program.loaded.model(ids, past_key_values=program.cache, use_cache=True).logits


class NoRoomForSplats(Watching):
    """An allocator that fails on tensors with a number for every splat, which only HSA makes."""

    def __init__(self, splats: int) -> None:
        super().__init__()
        self.splats = splats

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(made):
            if isinstance(leaf, torch.Tensor) and self.splats in leaf.shape:
                raise torch.OutOfMemoryError("no memory for the splats")
        return made


def step_without_memory(program, ids):
    with NoRoomForSplats(program.field.heads[0][0].splats):
        return step(program, ids)
