"""transformers' own `generate` under HSA: every cache and every way of searching."""

from __future__ import annotations

import pytest
import torch
from transformers import DynamicCache

from hsa.errors import ModelError
from hsa.inference.hsa_program import HSAProgram
from hsa.models.program import running
from hsa.models.splat_cache import splat_cache
from tests.inference.tiny import (
    ALL,
    PART,
    TRUSTING,
    adopted,
    field_of,
    inputs_of,
    padded,
    plan_of,
    with_cache,
)
from tests.models.eager import eager_copy

PROMPT, NEW = 37, 12
LONGEST = PROMPT + NEW + 8
SEARCHES = {
    "greedy": {"do_sample": False},
    "beams": {"do_sample": False, "num_beams": 3},
    "samples": {"do_sample": True, "num_return_sequences": 2, "temperature": 1.2},
    "beam samples": {"do_sample": True, "num_beams": 2, "num_return_sequences": 2},
}
LOOKUP = {"do_sample": False, "prompt_lookup_num_tokens": 4}


@pytest.fixture(scope="module", params=["llama", "gpt2"])
def model(request):
    loaded = adopted(request.param)
    return loaded, field_of(loaded, inputs_of(request.param, 45, batch=3)), eager_copy(loaded)


def repeating(loaded, batch=1):
    """Prompts that repeat themselves, so that looking up drafts tokens."""
    ids = inputs_of(loaded.name, 12, batch=batch, seed=3)["input_ids"]
    return ids.repeat(1, 4)[:, :PROMPT]


def generated(network, seed=1, **options):
    torch.manual_seed(seed)
    options = {"max_new_tokens": NEW, "min_new_tokens": NEW} | options
    with torch.no_grad():
        return network.generate(**options)


def under(program, **options):
    with running(program):
        return generated(program.loaded.model, past_key_values=program.cache, **options)


@pytest.mark.parametrize(("longest", "own"), [(None, 400), (LONGEST, 0)])
@pytest.mark.parametrize("search", SEARCHES)
def test_a_full_budget_writes_what_eager_attention_writes(model, search, longest, own) -> None:
    loaded, field, eager = model
    inputs = padded(repeating(loaded, 2), (PROMPT, 21), "left")
    program = with_cache(loaded, field, plan_of(loaded, ALL, own), longest)
    ours = under(program, **inputs, **SEARCHES[search])
    assert program.ledger.fallbacks == 0
    assert torch.equal(ours, generated(eager, **inputs, **SEARCHES[search]))


@pytest.mark.parametrize(
    ("search", "own"), [("greedy", 0), ("greedy", 16), ("beams", 16), ("samples", 16)]
)
def test_both_caches_write_the_same_at_a_partial_budget(model, search, own) -> None:
    loaded, field, _ = model
    inputs = padded(repeating(loaded, 2), (PROMPT, 21), "left")
    plan = plan_of(loaded, PART, own)
    programs = [with_cache(loaded, field, plan, longest) for longest in (None, LONGEST)]
    written = [under(program, **inputs, **SEARCHES[search]) for program in programs]
    assert torch.equal(*written)
    torch.testing.assert_close(programs[0].ledger.reads, programs[1].ledger.reads)
    assert programs[0].ledger.share_read < 1
    assert programs[0].ledger.fallbacks == 0


@pytest.mark.parametrize("blocks", [ALL, PART], ids=["full", "partial"])
@pytest.mark.parametrize("own", [0, 16])
def test_drafts_looked_up_in_the_prompt_change_nothing(model, blocks, own) -> None:
    """Assisted decoding crops the cache after every draft that was refused."""
    loaded, field, _ = model
    ids, plan = repeating(loaded), plan_of(loaded, blocks, own)
    greedy = under(with_cache(loaded, field, plan), inputs=ids, **SEARCHES["greedy"])
    program = with_cache(loaded, field, plan)
    crops = []
    crop = program.cache.crop
    program.cache.crop = lambda removed: (crops.append(removed), crop(removed))
    assert torch.equal(under(program, inputs=ids, **LOOKUP), greedy)
    assert any(removed < 0 for removed in crops)
    assert len({layer.states[0].tokens for layer in program.cache.layers}) == 1


def test_several_sequences_of_one_prompt_with_a_seed(model) -> None:
    loaded, field, _ = model
    plan, ids = plan_of(loaded, PART), repeating(loaded)
    first, again, other = (
        under(with_cache(loaded, field, plan), seed=seed, inputs=ids, **SEARCHES["samples"])
        for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert not torch.equal(first[0], first[1])


@pytest.mark.parametrize("longest", [None, LONGEST])
def test_a_cache_is_reset_and_used_again(model, longest) -> None:
    loaded, field, _ = model
    plan = plan_of(loaded, PART)
    program = with_cache(loaded, field, plan, longest)
    ids = repeating(loaded)
    first = under(program, inputs=ids.flip(1), **SEARCHES["greedy"])
    program.cache.reset()
    assert all(layer.states is None for layer in program.cache.layers)
    second = under(program, inputs=ids, **SEARCHES["greedy"])
    fresh = under(with_cache(loaded, field, plan, longest), inputs=ids, **SEARCHES["greedy"])
    assert torch.equal(second, fresh)
    assert not torch.equal(second[:, PROMPT:], first[:, PROMPT:])


def test_states_follow_what_is_done_to_the_batch(model) -> None:
    """Repeat and select, as contrastive search does; then go on as the sequences left."""
    loaded, field, _ = model
    ids = inputs_of(loaded.name, PROMPT, batch=3, seed=9)["input_ids"]
    more = inputs_of(loaded.name, 4, batch=3, seed=10)["input_ids"]
    program = with_cache(loaded, field, plan_of(loaded, PART, 16))
    both = (repeat_and_select(program, ids, more), straight_on(program, ids, more))
    torch.testing.assert_close(*both, atol=1e-5, rtol=1e-4)


def run(program, ids):
    with torch.no_grad(), running(program):
        return program.loaded.model(ids, past_key_values=program.cache, use_cache=True).logits


def repeat_and_select(program, ids, more):
    run(program, ids)
    program.cache.batch_repeat_interleave(2)
    program.cache.batch_select_indices(torch.tensor([4, 1, 1]))
    return run(program, more)


def straight_on(program, ids, more):
    program.cache.reset()
    run(program, ids[[2, 0, 0]])
    return run(program, more)


@pytest.mark.parametrize("longest", [None, LONGEST])
@pytest.mark.parametrize("kind", ["mistral", "wide mistral", "mixed"])
def test_sliding_layers_are_honoured(kind, longest) -> None:
    """A window smaller than the text, one that holds all of it, and layers of both kinds."""
    loaded = adopted(kind)
    field = field_of(loaded, inputs_of(kind, 45, batch=3))
    inputs = padded(inputs_of(kind, PROMPT, batch=2, seed=3)["input_ids"], (PROMPT, 21), "left")
    full = with_cache(loaded, field, plan_of(loaded, ALL, 400), longest)
    ours = under(full, **inputs, **SEARCHES["greedy"])
    assert full.ledger.fallbacks == 0
    assert torch.equal(ours, generated(eager_copy(loaded), **inputs, **SEARCHES["greedy"]))
    part = with_cache(loaded, field, plan_of(loaded, PART), longest)
    under(part, **inputs, **SEARCHES["greedy"])
    read = (part.ledger.reads / part.ledger.keys).mean(1)
    slides = [n == 0 or kind != "mixed" for n in range(3)]
    assert [share == 1 for share in read.tolist()] == slides
    assert part.ledger.fallbacks == 0


def test_a_cache_that_hsa_has_not_filled_is_refused(model) -> None:
    loaded, field, _ = model
    ids = repeating(loaded)
    plan = plan_of(loaded, PART)
    without = HSAProgram(loaded, field, plan, guard=TRUSTING)
    with pytest.raises(ModelError, match=r"not filled by HSA.*splat_cache"), running(without):
        generated(loaded.model, inputs=ids)
    filled = splat_cache(loaded.model.config)
    with torch.no_grad():
        loaded.model(ids, past_key_values=filled, use_cache=True)
    late = HSAProgram(loaded, field, plan, filled, TRUSTING)
    with pytest.raises(ModelError, match=f"{PROMPT} tokens in the cache, 0 of them read by HSA"):
        run(late, ids[:, :1])
    program = with_cache(loaded, field, plan)
    with pytest.raises(ModelError, match="another cache than its program"), running(program):
        loaded.model(ids, past_key_values=DynamicCache(config=loaded.model.config))


def test_right_padding_between_prompt_and_answer_is_refused(model) -> None:
    loaded, field, _ = model
    inputs = padded(repeating(loaded, 2), (PROMPT, 21), "right")
    with pytest.raises(ModelError, match="pad on the left to generate"):
        under(with_cache(loaded, field, plan_of(loaded, PART)), **inputs, do_sample=False)
