"""Reading on token by token: the same as reading the whole text at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from hsa.activations import Activations
from hsa.attention.block_plan import BlockPlan
from hsa.attention.blocked import BlockedResult
from hsa.attention.decoding import Decoding, begin, prefill, step
from hsa.field.layer_field import LayerField
from hsa.field.splat_field import PHRASE
from tests.attention.block_layers import (
    FULL,
    PLAN,
    WAYS,
    LargestMade,
    attended,
    block_layer,
    changed_after,
    one_loud_key_in_a_closed_splat,
    own_reads,
    softmax_attention,
)
from tests.attention.random_layers import relative
from tests.attention.slow_blocks import SlowBlocks

TOKENS = 60


def started(
    layer: Activations, field: LayerField, plan: BlockPlan = PLAN, own: tuple[int, ...] = (0,) * 4
) -> Decoding:
    return begin(field, plan, layer.scaling, own, layer.v.shape[-1])


def prefilled(
    layer: Activations,
    field: LayerField,
    tokens: int,
    plan: BlockPlan = PLAN,
    own: tuple[int, ...] = (0,) * 4,
) -> tuple[BlockedResult, Decoding]:
    q, k, v = (getattr(layer, name)[:, :tokens] for name in "qkv")
    return prefill(started(layer, field, plan, own), q, k, v)


def read_on(
    state: Decoding, layer: Activations, upto: int, at_once: int = 1
) -> tuple[Tensor, Tensor, Decoding]:
    """Outputs and reads of the tokens from where the state stands up to `upto`."""
    outputs, reads = [], []
    while state.tokens < upto:
        before, end = state.tokens, min(state.tokens + at_once, upto)
        output, read, state = step(
            state, layer.q[:, before:end], layer.k[:, :end], layer.v[:, :end]
        )
        assert state.tokens == end and output.shape[2] == read.shape[2] == end - before
        outputs.append(output)
        reads.append(read)
    return torch.cat(outputs, 2), torch.cat(reads, 2), state


def reads_of_queries(result: BlockedResult, own: tuple[int, ...], block: int) -> Tensor:
    """Far reads of every query as a whole text counts them: those of its block."""
    shares = torch.tensor(own).view(result.reads.shape[1:]) == 0
    far = result.reads + result.choosing.unsqueeze(2) * shares
    return far.movedim(0, 2).repeat_interleave(block, 2)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("shape", [(60, 2, 2, 6), (45, 1, 3, 16), (40, 2, 1, 64)])
def test_token_by_token_is_the_whole_text(shape: tuple[int, ...], way: str) -> None:
    tokens, groups, group, dim = shape
    layer, field = block_layer(1, tokens, groups, group, dim)
    own = own_reads(way, groups * group)
    whole = attended(layer, field, PLAN, own)
    output, reads, _ = read_on(started(layer, field, PLAN, own), layer, tokens)
    assert relative(output, whole.output) < 1e-5
    # What single queries read, on the average of a whole block, is what the block says.
    full = tokens // 8 * 8
    mean = reads[:, :, :full].unflatten(2, (-1, 8)).mean(-1)
    blocks = reads_of_queries(whole, own, 8)[:, :, :full:8]
    assert relative(mean, blocks) < 1e-5
    assert not reads[:, :, :16].any() and (reads[:, :, 16:] > 0).all()


@pytest.mark.parametrize("way", WAYS)
def test_reading_on_from_a_prefill_is_the_whole_text(way: str) -> None:
    """Prefilled to less than a block, to its borders, and beyond."""
    layer, field = block_layer(2, TOKENS)
    own = own_reads(way, 4)
    whole = attended(layer, field, PLAN, own).output
    for first in (1, 3, 4, 7, 8, 9, 15, 16, 17, 24, 33, 47, 48, 59):
        result, state = prefilled(layer, field, first, PLAN, own)
        assert state.tokens == first
        assert relative(result.output, whole[:, :, :first]) < 1e-5
        output, _, _ = read_on(state, layer, min(first + 19, TOKENS))
        assert relative(output, whole[:, :, first : first + 19]) < 1e-5, first


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("first", [0, 5, 16, 30])
def test_several_tokens_at_once_across_borders(first: int, way: str) -> None:
    layer, field = block_layer(3, TOKENS)
    own = own_reads(way, 4)
    whole = attended(layer, field, PLAN, own)
    state = started(layer, field, PLAN, own)
    if first:
        _, state = prefilled(layer, field, first, PLAN, own)
    one_by_one, reads, _ = read_on(state, layer, TOKENS)
    assert relative(one_by_one, whole.output[:, :, first:]) < 1e-5
    for at_once in (2, 3, 8, 11, 25, 60):
        output, together, _ = read_on(state, layer, TOKENS, at_once)
        assert relative(output, one_by_one) < 1e-5, at_once
        assert torch.equal(together, reads)


@given(
    seed=st.integers(0, 30),
    lengths=st.lists(st.integers(1, 20), min_size=1, max_size=5),
    first=st.integers(0, 40),
    way=st.sampled_from(WAYS),
    scored=st.sampled_from([1, 2, 8]),
)
@settings(max_examples=25, deadline=None, derandomize=True)
def test_any_division_of_a_text_is_the_text(
    seed: int, lengths: list[int], first: int, way: str, scored: int
) -> None:
    tokens = first + sum(lengths)
    layer, field = block_layer(seed, tokens)
    plan, own = replace(PLAN, scored=scored), own_reads(way, 4)
    state, outputs = started(layer, field, plan, own), []
    if first:
        result, state = prefilled(layer, field, first, plan, own)
        outputs.append(result.output)
    for length in lengths:
        output, _, state = read_on(state, layer, state.tokens + length, length)
        outputs.append(output)
    whole = attended(layer, field, plan, own).output
    assert relative(torch.cat(outputs, 2), whole) < 1e-5


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("prefix", [0, 17, 24, 45])
def test_cropped_the_text_goes_on_as_if_never_longer(prefix: int, way: str) -> None:
    """With other tokens from there on: nothing of those that were cut off is left."""
    layer, field = block_layer(4, TOKENS)
    own = own_reads(way, 4)
    state = started(layer, field, PLAN, own)
    if prefix:
        _, state = prefilled(layer, field, prefix, PLAN, own)
    if prefix < 45:
        _, _, state = read_on(state, layer, 45, at_once=6)
    for back in (0, 1, 7, 8, 9, 16, 23, 24, 25, 31, 32, 39, 40, 41, 44, 45):
        cropped = state.crop(back)
        assert cropped.tokens == back
        end = min(back + 20, TOKENS)
        other = changed_after(layer, back - 1, seed=7, scale=1.5)
        output, _, _ = read_on(cropped, other, end, at_once=5)
        other = replace(other, **{name: getattr(other, name)[:, :end] for name in "qkv"})
        whole = attended(other, field, PLAN, own).output
        assert relative(output, whole[:, :, back:]) < 1e-5, back


def test_cropping_again_and_again() -> None:
    layer, field = block_layer(4, TOKENS)
    _, state = prefilled(layer, field, 50)
    text = layer
    for number, back in enumerate((45, 30, 44, 17, 16, 50, 3)):
        if state.tokens < back:
            _, _, state = read_on(state, text, back + 5)
        state = state.crop(back)
        text = changed_after(text, back - 1, seed=number, scale=1.5)
        output, _, state = read_on(state, text, min(back + 9, TOKENS))
        wanted = attended(text, field).output[:, :, back : back + 9]
        assert relative(output, wanted) < 1e-5


def test_cropping_nothing_away_changes_nothing() -> None:
    layer, field = block_layer(4, TOKENS)
    _, state = prefilled(layer, field, 40)
    assert state.crop(40) is state and state.crop(1000) is state


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("first", [20, 23, 24, 31])
def test_branches_do_not_disturb_one_another(first: int, way: str) -> None:
    """Two continuations take turns; each is what it would be alone."""
    layer, field = block_layer(5, TOKENS)
    own = own_reads(way, 4)
    other = changed_after(layer, first - 1, seed=3, scale=1.5)
    _, state = prefilled(layer, field, first - 4, PLAN, own)
    _, _, state = read_on(state, layer, first)
    branches, outputs = [state, state], [[], []]
    for end in range(first + 1, TOKENS + 1):
        for at, text in enumerate((layer, other)):
            output, _, branches[at] = read_on(branches[at], text, end)
            outputs[at].append(output)
    for at, text in enumerate((layer, other)):
        whole = attended(text, field, PLAN, own).output
        assert relative(torch.cat(outputs[at], 2), whole[:, :, first:]) < 1e-5
    assert state.tokens == first
    again, _, _ = read_on(state, layer, TOKENS)
    assert torch.equal(again, torch.cat(outputs[0], 2))


def tensors_of(value: object) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    if hasattr(value, "__dict__"):
        return [tensor for part in value.__dict__.values() for tensor in tensors_of(part)]
    return []


@pytest.mark.parametrize("way", WAYS)
def test_a_state_is_never_changed(way: str) -> None:
    layer, field = block_layer(5, TOKENS)
    _, state = prefilled(layer, field, 20, PLAN, own_reads(way, 4))
    _, _, state = read_on(state, layer, 31)
    held = tensors_of(state)
    assert len(held) > 15
    before = [tensor.clone() for tensor in held]
    read_on(state, layer, TOKENS, at_once=7)
    state.crop(5)
    assert all(torch.equal(one, other) for one, other in zip(held, before, strict=True))


@pytest.mark.parametrize("way", WAYS)
def test_later_tokens_change_not_one_bit(way: str) -> None:
    """The first of several tokens read at once knows nothing of the others."""
    layer, field = block_layer(6, TOKENS)
    own = own_reads(way, 4)
    _, state = prefilled(layer, field, 30, PLAN, own)
    before, _, _ = read_on(state, layer, TOKENS, at_once=30)
    for last in (30, 31, 36, 39, 40, 47, 58):
        other = changed_after(layer, last, seed=last, scale=4.0)
        after, _, _ = read_on(state, other, TOKENS, at_once=30)
        assert torch.equal(after[:, :, : last - 29], before[:, :, : last - 29])


@pytest.mark.parametrize("way", WAYS)
def test_opening_everything_is_exact_attention(way: str) -> None:
    layer, field = block_layer(7, TOKENS)
    own = tuple(1000 * (reads > 0) for reads in own_reads(way, 4))
    _, state = prefilled(layer, field, 21, FULL, own)
    output, _, _ = read_on(state, layer, TOKENS)
    assert relative(output, softmax_attention(layer)[:, :, 21:]) < 1e-5


def test_without_far_tokens_splats_alone_answer() -> None:
    layer, field = block_layer(1, TOKENS)
    plan = replace(PLAN, tokens=0)
    output, _, _ = read_on(started(layer, field, plan), layer, TOKENS)
    assert relative(output, attended(layer, field, plan).output) < 1e-5


@pytest.mark.parametrize("reads", [6, 9, 13])
def test_a_raised_wish_is_raised_alike(reads: int) -> None:
    """Fields of a layer differ in Sections: what one is raised to does not depend on who asks."""
    layer, field = block_layer(8, TOKENS)
    sections = (field.level == 1).sum(1)
    assert int(sections[0]) > int(sections[1])
    own = (0, 0, reads, reads)
    output, _, _ = read_on(started(layer, field, PLAN, own), layer, TOKENS)
    assert relative(output, attended(layer, field, PLAN, own).output) < 1e-5


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("scale", [10.0, 1e3])
def test_huge_logits_stay_finite(scale: float, way: str) -> None:
    layer, field = block_layer(1, TOKENS)
    layer = replace(layer, q=scale * layer.q)
    output, _, _ = read_on(started(layer, field, PLAN, own_reads(way, 4)), layer, TOKENS, 3)
    assert output.isfinite().all()
    assert float(output.abs().max()) <= 1.001 * float(layer.v.abs().max())


@pytest.mark.parametrize("scale", [3.0, 30.0])
def test_what_is_not_read_has_no_say(scale: float) -> None:
    """A key of a closed splat may have any logit; so may a splat that is not in the cut."""
    layer, field = block_layer(1, TOKENS)
    layer = replace(layer, q=scale * layer.q)
    position = field.position.clone()
    position[:, 0] *= 20
    field = replace(field, position=position, temper=torch.zeros_like(field.temper))
    plan = replace(PLAN, tokens=2)
    output, _, _ = read_on(started(layer, field, plan), layer, TOKENS)
    openings = attended(layer, field, plan, keep=True).openings
    assert relative(output, SlowBlocks(layer, field, plan).answers(openings)) < 1e-4


@pytest.mark.parametrize("way", WAYS)
def test_sharp_queries_that_open_everything_are_exact(way: str) -> None:
    """Most slots of the gather stand empty, and the first Document lies far from every key."""
    layer, field = block_layer(7, TOKENS, sharpness=8.0)
    position = field.position.clone()
    position[:, 0] *= 20
    own = tuple(1000 * (reads > 0) for reads in own_reads(way, 4))
    state = started(layer, replace(field, position=position), FULL, own)
    output, _, _ = read_on(state, layer, TOKENS)
    assert relative(output, softmax_attention(layer)) < 1e-5


def test_a_loud_key_in_a_closed_splat_has_no_say() -> None:
    layer, field, plan = one_loud_key_in_a_closed_splat()
    state = started(layer, field, plan, (0, 0))
    output, _, _ = read_on(state, layer, 40)
    slow = SlowBlocks(layer, field, plan)
    row = int((field.level[0] == PHRASE).nonzero())
    for head, query in ((0, 16), (1, 16), (0, 23), (1, 39)):
        assert relative(output[0, head, query], slow.answer(head, query, [row], [])) < 1e-5


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dim", [6, 16])
def test_half_precision_is_float32_of_the_rounded_inputs(dim: int, way: str) -> None:
    """Also where the scaling is no power of two."""
    layer, field = block_layer(9, TOKENS, dim=dim)
    half = replace(layer, **{name: getattr(layer, name).bfloat16() for name in "qkv"})
    widened = replace(half, **{name: getattr(half, name).float() for name in "qkv"})
    own = own_reads(way, 4)
    _, state = prefilled(half, field, 20, PLAN, own)
    output, _, _ = read_on(state, half, TOKENS)
    assert output.dtype == torch.float32
    assert relative(output, attended(widened, field, PLAN, own).output[:, :, 20:]) < 1e-5


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("way", WAYS)
def test_a_gpu_gives_the_same(way: str) -> None:
    layer, field = block_layer(9, TOKENS)
    there = replace(layer, **{name: getattr(layer, name).cuda() for name in "qkv"})
    own = own_reads(way, 4)
    _, state = prefilled(there, field.to("cuda"), 21, PLAN, own)
    output, _, _ = read_on(state, there, TOKENS)
    wanted = attended(layer, field, PLAN, own).output[:, :, 21:]
    assert output.device.type == "cuda"
    assert relative(output.cpu(), wanted) < 1e-5


@pytest.mark.parametrize("way", ["shared", "mixed"])
@pytest.mark.parametrize(
    "back", [lambda state: state, lambda state: state.crop(4992), lambda state: state.crop(4700)]
)
def test_a_long_prompt_is_summed_in_parts(back: Callable[[Decoding], Decoding], way: str) -> None:
    """Beyond 4,096 far keys the sums of a prompt are brought up part by part."""
    layer, field = block_layer(10, 5130, 1, 2)
    plan = BlockPlan(block=128, splats=12, tokens=60, scored=4, chunk=8)
    own = own_reads(way, 2)
    whole = attended(layer, field, plan, own).output
    _, state = prefilled(layer, field, 5120, plan, own)
    state = back(state)
    output, _, _ = read_on(state, layer, min(state.tokens + 10, 5130), at_once=10)
    assert relative(output, whole[:, :, state.tokens : state.tokens + 10]) < 1e-5


@pytest.mark.parametrize("way", WAYS)
def test_no_tensor_of_a_step_grows_faster_than_the_text(way: str) -> None:
    """Neither inside a block nor where one is entered."""
    largest = []
    for tokens in (400, 1600):
        layer, field = block_layer(1, tokens + 12)
        _, state = prefilled(layer, field, tokens, PLAN, own_reads(way, 4))
        with LargestMade() as made:
            read_on(state, layer, tokens + 12)
        largest.append(made.bytes)
    assert largest[1] <= 4.1 * largest[0]
