"""Blocked HSA against the reference, the slow definition and exact attention."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hsa.activations import Activations
from hsa.attention.block_plan import BlockPlan
from hsa.attention.blocked import BlockedResult
from hsa.attention.opening import Opening
from hsa.attention.reference import answer
from hsa.attention.views import BlockView, block_views, into_layer
from hsa.field.layer_field import LayerField
from hsa.field.splat_field import PHRASE
from tests.attention.block_layers import (
    DIRECTIONS,
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
    turned,
)
from tests.attention.random_layers import relative
from tests.attention.slow_blocks import SlowBlocks

ROUNDING = 1e-4
"""A decision with a smaller gap than this may fall otherwise in float32."""

SHAPES = [
    # tokens, groups, heads a group, D, V, block, chunk
    (60, 2, 1, 16, 16, 8, 2),
    (61, 2, 3, 16, 16, 8, 4),
    (50, 1, 3, 64, 64, 16, 1),
    (64, 3, 1, 64, 20, 16, 3),
    (70, 1, 1, 6, 9, 8, 64),
]


def shaped(
    shape: tuple[int, ...], causal: bool = True, seed: int = 1
) -> tuple[Activations, LayerField, BlockPlan]:
    tokens, groups, group, dim, value_dim, block, chunk = shape
    layer, field = block_layer(seed, tokens, groups, group, dim)
    generator = torch.Generator().manual_seed(seed)
    layer = replace(layer, v=torch.randn(groups, tokens, value_dim, generator=generator))
    layer, plan = turned(layer, replace(PLAN, block=block, chunk=chunk), causal)
    return layer, field, plan


def in_the_references_words(view: BlockView, result: BlockedResult, plan: BlockPlan) -> Opening:
    """The cut that a block's queries shared, as nodes of the prompt's tree."""
    tree, rows = view.layer.tree, view.y.shape[1]
    closed = torch.zeros(tree.row.shape, dtype=torch.bool)
    opened = torch.zeros(tree.row.shape, dtype=torch.bool)
    block = int(view.block.queries[0]) // plan.block
    part, at = divmod(block, plan.chunk)
    opening = result.openings[part]
    for group in range(tree.row.shape[0]):
        splats = opening.splat[at, group][opening.splat_there[at, group]]
        tokens = opening.token[at, group][opening.token_there[at, group]]
        closed[group] = torch.isin(tree.row[group], splats)
        opened[group, tree.key_node[group, tokens, PHRASE]] = True
        assert int(closed[group].sum()) == splats.numel()
    spread = (tree.row.shape[0], rows, tree.row.shape[1])
    reads = opening.reads()[at].unsqueeze(1).expand(-1, rows)
    return Opening(
        closed.unsqueeze(1).expand(spread), opened.unsqueeze(1).expand(spread),
        reads, torch.zeros_like(reads, dtype=torch.bool),
    )  # fmt: skip


@DIRECTIONS
@pytest.mark.parametrize("shape", SHAPES)
def test_blocked_is_the_reference_at_equal_opening(shape: tuple[int, ...], causal: bool) -> None:
    layer, field, plan = shaped(shape, causal)
    result = attended(layer, field, plan, keep=True)
    heads, seen, kinds = field.temper.shape[1], 0, torch.zeros(2)
    scale = float(result.output.abs().max())
    for view in block_views(into_layer(layer, field, plan.near), torch.arange(shape[0])):
        opening = in_the_references_words(view, result, plan)
        exact = torch.zeros(view.y.shape[:2], dtype=torch.bool)
        wanted = answer(view, opening, exact, field.temper, torch.zeros_like(field.tilt))
        # Whole Phrases and nothing else: the reference reads as many keys as blocks listed.
        listed = (opening.reads - opening.closed.sum(-1)).float()
        assert torch.equal((wanted.read & view.block.far).sum(-1).float(), listed)
        kinds += torch.tensor([opening.closed.any(), opening.opened.any()])
        found = result.output[:, :, view.block.queries]
        gap = (found - wanted.output.unflatten(1, (heads, -1))).abs().max()
        assert float(gap) < 1e-5 * scale
        seen += view.block.queries.numel()
    assert seen == shape[0] and (kinds > 1).all()


@DIRECTIONS
@pytest.mark.parametrize("shape", SHAPES)
def test_a_shared_answer_is_the_slow_one(shape: tuple[int, ...], causal: bool) -> None:
    layer, field, plan = shaped(shape, causal)
    slow = SlowBlocks(layer, field, plan)
    assert slow.routing_gap > ROUNDING, "choose another seed"
    result = attended(layer, field, plan, keep=True)
    assert relative(result.output, slow.answers(result.openings)) < 1e-5


@DIRECTIONS
@pytest.mark.parametrize("way", ["own", "mixed"])
@pytest.mark.parametrize("shape", SHAPES)
def test_heads_that_open_for_themselves_are_the_slow_ones(
    shape: tuple[int, ...], way: str, causal: bool
) -> None:
    layer, field, plan = shaped(shape, causal)
    slow = SlowBlocks(layer, field, plan)
    assert slow.routing_gap > ROUNDING, "choose another seed"
    own = own_reads(way, slow.q.shape[0])
    result = attended(layer, field, plan, own)
    shared = attended(layer, field, plan).output.flatten(0, 1)
    scale, undecided = float(result.output.abs().max()), 0
    for head, reads in enumerate(own):
        found = result.output.flatten(0, 1)[head]
        if not reads:
            assert torch.equal(found, shared[head])
            continue
        for query in range(shape[0]):
            wanted = slow.own_cut(head, query, reads)
            if wanted.closest_call < ROUNDING:
                undecided += 1
                continue
            row = slow.alone(head, query, wanted)
            assert float((found[query] - row).abs().max()) < 1e-5 * scale
    assert undecided <= 4


@given(
    seed=st.integers(0, 60),
    tokens=st.integers(17, 60),
    tokens_opened=st.integers(1, 30),
    causal=st.booleans(),
)
@settings(max_examples=16, deadline=None, derandomize=True)
def test_any_text_is_the_slow_one(seed: int, tokens: int, tokens_opened: int, causal: bool) -> None:
    layer, field = block_layer(seed, tokens, 2, 1)
    layer, plan = turned(layer, replace(PLAN, tokens=tokens_opened), causal)
    slow = SlowBlocks(layer, field, plan)
    assume(slow.routing_gap > ROUNDING)
    result = attended(layer, field, plan, keep=True)
    assert relative(result.output, slow.answers(result.openings)) < 1e-5


@DIRECTIONS
def test_reads_are_what_each_query_read(causal: bool) -> None:
    """Also in the last block, whose missing queries read nothing."""
    layer, field = block_layer(1, 61)
    layer, plan = turned(layer, PLAN, causal)
    slow = SlowBlocks(layer, field, plan)
    own = own_reads("mixed", 4)
    result = attended(layer, field, plan, own, keep=True)
    shared = torch.cat([opening.reads() for opening in result.openings])
    for head in range(4):
        found = result.reads[:, head // 2, head % 2]
        if not own[head]:
            assert found.tolist() == shared[:, head // 2].tolist()
            continue
        for block in range(8):
            queries = range(8 * block, min(8 * block + 8, 61))
            cuts = [slow.own_cut(head, query, own[head]) for query in queries]
            assert min(cut.closest_call for cut in cuts) > ROUNDING
            read = sum(cut.reads for cut in cuts) / len(cuts)
            assert float(found[block]) == pytest.approx(read, abs=1e-4), f"block {block}"


@DIRECTIONS
def test_choosing_is_counted_per_query(causal: bool) -> None:
    """Each of `scored` queries evaluates every non-empty Section and Phrase, for `block`."""
    layer, field = block_layer(1, 61)
    layer, plan = turned(layer, PLAN, causal)
    slow = SlowBlocks(layer, field, plan)
    choosing = attended(layer, field, plan).choosing
    for block in range(8):
        for group in range(2):
            assert float(choosing[block, group]) == len(slow.held(group, block)) * 4 / 8


@DIRECTIONS
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("way", ["shared", "own"])
def test_opening_everything_is_exact_attention(
    shape: tuple[int, ...], way: str, causal: bool
) -> None:
    layer, field, plan = shaped(shape, causal)
    plan = replace(FULL, block=plan.block, chunk=plan.chunk, causal=causal)
    own = None if way == "shared" else [1000] * layer.q.shape[0]
    assert relative(attended(layer, field, plan, own).output, softmax_attention(layer)) < 1e-5


@DIRECTIONS
@pytest.mark.parametrize("way", ["shared", "own"])
@pytest.mark.parametrize("tokens", [24, 40, 64])
def test_opening_everything_is_exact_attention_for_sharp_queries(
    tokens: int, way: str, causal: bool
) -> None:
    """Room for as many tokens as there are; what scoring queries dismiss others may need."""
    layer, field = block_layer(2, tokens, dim=16, sharpness=16.0)
    layer, plan = turned(layer, replace(FULL, tokens=tokens), causal)
    own = None if way == "shared" else [1000] * 4
    result = attended(layer, field, plan, own)
    assert relative(result.output, softmax_attention(layer)) < 2e-5


@pytest.mark.parametrize("way", ["shared", "own"])
def test_a_splat_of_equal_values_is_opened_too(way: str) -> None:
    """Equal values leave nothing to err on but the mass, of which the estimate knows nothing."""
    layer, field = block_layer(3, 40)
    slow = SlowBlocks(layer, field, FULL)
    v = layer.v.clone()
    for group in range(2):
        for row in set(slow.phrase[group]):
            keys = [j for j, own in enumerate(slow.phrase[group]) if own == row]
            v[group, keys] = v[group, keys[0]].clone()
    layer = replace(layer, v=v)
    result = attended(
        layer, field, replace(FULL, tokens=40), None if way == "shared" else [100] * 4
    )
    assert relative(result.output, softmax_attention(layer)) < 1e-5


def test_without_far_tokens_splats_alone_answer() -> None:
    """A plan may open no token at all."""
    layer, field = block_layer(1, 61)
    plan = replace(PLAN, tokens=0)
    result = attended(layer, field, plan, keep=True)
    slow = SlowBlocks(layer, field, plan)
    assert relative(result.output, slow.answers(result.openings)) < 1e-5


@DIRECTIONS
def test_more_reads_leave_less_error(causal: bool) -> None:
    layer, field = block_layer(10, 120, 2, 3)
    layer, plan = turned(layer, PLAN, causal)
    wanted = softmax_attention(layer)

    def error(plan: BlockPlan, own: list[int] | None = None) -> float:
        return float((attended(layer, field, plan, own).output - wanted).norm())

    shared = [error(replace(plan, splats=s, tokens=t)) for s, t in ((1, 2), (12, 12), (40, 60))]
    own = [error(plan, [reads] * 6) for reads in (9, 24, 70)]
    for errors in (shared, own):
        assert errors == sorted(errors, reverse=True)
        assert errors[-1] < 0.5 * errors[0]


@given(
    seed=st.integers(0, 500),
    tokens=st.integers(2, 60),
    last=st.floats(0, 1),
    groups=st.integers(1, 2),
    group=st.sampled_from([1, 3]),
    dim=st.sampled_from([6, 16]),
    chunk=st.sampled_from([1, 2, 64]),
    way=st.sampled_from(WAYS),
    scale=st.sampled_from([0.1, 3.0, 50.0]),
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_later_tokens_change_not_one_bit(
    seed: int,
    tokens: int,
    last: float,
    groups: int,
    group: int,
    dim: int,
    chunk: int,
    way: str,
    scale: float,
) -> None:
    layer, field = block_layer(seed % 7, tokens, groups, group, dim)
    stays = int(last * (tokens - 2))
    other = changed_after(layer, stays, seed, scale)
    plan, own = replace(PLAN, chunk=chunk), own_reads(way, groups * group)
    before, after = (attended(one, field, plan, own).output for one in (layer, other))
    assert torch.equal(after[:, :, : stays + 1], before[:, :, : stays + 1])
    if tokens > stays + 2:
        assert not torch.equal(after, before)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("last", [0, 2, 6, 7, 8, 15, 16, 30, 31, 32, 53, 58])
def test_one_later_token_changes_not_one_bit(last: int, way: str) -> None:
    """In the same block, or at the beginning of the next."""
    layer, field = block_layer(1, 60)
    own = own_reads(way, 4)
    before = attended(layer, field, PLAN, own).output
    for name in "qkv":
        tensor = getattr(layer, name).clone()
        tensor[:, last + 1] *= -30
        after = attended(replace(layer, **{name: tensor}), field, PLAN, own).output
        assert torch.equal(after[:, :, : last + 1], before[:, :, : last + 1]), name


@pytest.mark.parametrize("way", WAYS)
def test_a_large_key_to_come_drowns_nothing(way: str) -> None:
    """Sinks are read by all, but the first queries do not see them yet."""
    layer, field = block_layer(1, 40)
    k = layer.k.clone()
    k[0, 3] = 60 * layer.q[0, 0]
    output = attended(replace(layer, k=k), field, PLAN, own_reads(way, 4)).output
    assert relative(output[:, :, 0], layer.v[:, None, 0].expand(2, 2, -1)) < 1e-6


def test_heads_do_not_disturb_one_another() -> None:
    """A head that opens for itself opens the same whatever others may read."""
    layer, field = block_layer(1, 60)
    own = (24, 18, 33, 40)
    together = attended(layer, field, PLAN, own)
    for head in range(4):
        alone = tuple(reads * (at == head) for at, reads in enumerate(own))
        found = attended(layer, field, PLAN, alone)
        where = (head // 2, head % 2)
        assert relative(found.output[where], together.output[where]) < 1e-6
        assert torch.equal(found.reads[:, *where], together.reads[:, *where])


def test_no_head_of_its_own_is_none() -> None:
    layer, field = block_layer(1, 60)
    none, zeros = attended(layer, field), attended(layer, field, PLAN, (0, 0, 0, 0))
    assert torch.equal(none.output, zeros.output) and torch.equal(none.reads, zeros.reads)


@DIRECTIONS
@pytest.mark.parametrize("chunk", [1, 3, 64])
@pytest.mark.parametrize("way", WAYS)
def test_blocks_at_once_are_a_matter_of_speed(chunk: int, way: str, causal: bool) -> None:
    layer, field = block_layer(1, 61)
    layer, plan = turned(layer, PLAN, causal)
    own = own_reads(way, 4)
    wanted = attended(layer, field, plan, own)
    found = attended(layer, field, replace(plan, chunk=chunk), own)
    assert relative(found.output, wanted.output) < 2e-6
    assert torch.equal(found.reads, wanted.reads) and torch.equal(found.choosing, wanted.choosing)


@DIRECTIONS
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("shape", [(41, 2, 2, 6, 6, 8, 2), (40, 1, 3, 6, 5, 8, 3)])
def test_gradients_are_those_of_the_slow_answer(
    shape: tuple[int, ...], way: str, causal: bool
) -> None:
    """At the opening that was chosen: the choice itself has no slope."""
    layer, field, plan = shaped(shape, causal)
    parts = {name: getattr(layer, name).clone().requires_grad_() for name in "qkv"}
    following = replace(layer, **parts)
    own = own_reads(way, layer.q.shape[0])
    result = attended(following, field, plan, own, keep=True)
    slow = SlowBlocks(following, field, plan)
    assert slow.routing_gap > ROUNDING
    wanted = slow.answers(result.openings).flatten(0, 1).unbind(0)
    wanted = [list(rows.unbind(0)) for rows in wanted]
    for head, reads in enumerate(own):
        for query in range(shape[0] if reads else 0):
            cut = slow.own_cut(head, query, reads)
            assert cut.closest_call > ROUNDING, "choose another seed"
            wanted[head][query] = slow.alone(head, query, cut)
    slow_output = torch.stack([torch.stack(rows) for rows in wanted])
    weight = torch.randn(slow_output.shape, generator=torch.Generator().manual_seed(5))
    found = torch.autograd.grad((result.output.flatten(0, 1) * weight).sum(), parts.values())
    slowly = torch.autograd.grad((slow_output * weight.double()).sum(), parts.values())
    for name, one, other in zip("qkv", found, slowly, strict=True):
        assert float(other.abs().max()) > 0.1
        assert relative(one, other) < 2e-5, name


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_float32_of_the_rounded_inputs(dtype: torch.dtype, way: str) -> None:
    """Everything is computed in float32: rounding the inputs is all that is lost."""
    layer, field = block_layer(9, 61, sharpness=1.0)
    half = replace(layer, **{name: getattr(layer, name).to(dtype) for name in "qkv"})
    widened = replace(half, **{name: getattr(half, name).float() for name in "qkv"})
    own = own_reads(way, 4)
    output = attended(half, field, PLAN, own).output
    assert output.dtype == torch.float32
    assert torch.equal(output, attended(widened, field, PLAN, own).output)
    exact = attended(half, field, FULL, [1000 * (reads > 0) for reads in own]).output
    tolerance = 0.05 if dtype == torch.bfloat16 else 0.006
    assert relative(exact, softmax_attention(layer)) < tolerance


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("way", WAYS)
def test_a_gpu_gives_the_same(way: str, dtype: torch.dtype) -> None:
    layer, field = block_layer(9, 61)
    layer = replace(layer, **{name: getattr(layer, name).to(dtype) for name in "qkv"})
    there = replace(layer, **{name: getattr(layer, name).cuda() for name in "qkv"})
    own = own_reads(way, 4)
    wanted, found = attended(layer, field, PLAN, own), attended(there, field.to("cuda"), PLAN, own)
    assert found.output.device.type == "cuda"
    assert relative(found.output.cpu(), wanted.output) < 1e-5
    assert torch.equal(found.reads.cpu(), wanted.reads)


@DIRECTIONS
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("tokens", [1, 2, 3, 4, 5, 7, 8, 9, 16])
def test_a_text_without_far_keys_is_exact_attention(tokens: int, way: str, causal: bool) -> None:
    layer, field = block_layer(1, tokens)
    layer, plan = turned(layer, PLAN, causal)
    result = attended(layer, field, plan, own_reads(way, 4))
    assert result.output.shape == (2, 2, tokens, 6)
    assert relative(result.output, softmax_attention(layer)) < 1e-6
    assert not result.reads.any() and not result.choosing.any()


@pytest.mark.parametrize("way", WAYS)
def test_the_first_query_with_far_keys_reads_them(way: str) -> None:
    layer, field = block_layer(1, 17)
    result = attended(layer, field, PLAN, own_reads(way, 4))
    exact = softmax_attention(layer)
    assert relative(result.output[:, :, :16], exact[:, :, :16]) < 1e-6
    assert (result.reads[2] > 0).all() and not result.reads[:2].any()
    full = attended(layer, field, FULL, [1000 * (reads > 0) for reads in own_reads(way, 4)])
    assert relative(full.output, exact) < 1e-5


@pytest.mark.parametrize("way", WAYS)
def test_splats_without_keys_say_nothing(way: str) -> None:
    """Half of all Phrases and Sections, the first of each among them, lie where no key is."""
    layer, field = block_layer(1, 60)
    position = field.position.clone()
    position[:, ::2] += 15
    position[:, 3] += 15
    field = replace(field, position=position)
    slow, own = SlowBlocks(layer, field, PLAN), own_reads(way, 4)
    assert slow.routing_gap > ROUNDING
    for group in range(2):
        phrases = (field.level[group] == PHRASE).nonzero().flatten().tolist()
        assert len(set(slow.phrase[group])) <= len(phrases) - 6
    result = attended(layer, field, PLAN, own, keep=True)
    wanted = slow.answers(result.openings)
    for head in range(4):
        found = result.output[head // 2, head % 2]
        if not own[head]:
            assert relative(found, wanted[head // 2, head % 2]) < 1e-5
            continue
        for query in range(16, 60, 5):
            cut = slow.own_cut(head, query, own[head])
            assert cut.closest_call > ROUNDING
            assert relative(found[query], slow.alone(head, query, cut)) < 2e-5


@pytest.mark.parametrize("way", WAYS)
def test_equal_keys_are_answered_exactly_by_a_closed_splat(way: str) -> None:
    layer, field = block_layer(1, 60)
    layer = replace(layer, k=layer.k[:, :1].expand(-1, 60, -1).contiguous())
    own = [3 * (reads > 0) for reads in own_reads(way, 4)]
    result = attended(layer, field, replace(PLAN, tokens=1), own)
    assert relative(result.output, softmax_attention(layer)) < 1e-5
    assert (result.reads[2:] == 1).all()


@DIRECTIONS
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("scale", [10.0, 1e3])
@pytest.mark.parametrize("which", ["q", "k", "qk"])
def test_huge_logits_stay_finite(which: str, scale: float, way: str, causal: bool) -> None:
    layer, field = block_layer(1, 61)
    layer, plan = turned(layer, PLAN, causal)
    layer = replace(layer, **{name: scale * getattr(layer, name) for name in which})
    result = attended(layer, field, plan, own_reads(way, 4))
    assert result.output.isfinite().all()
    # A mean of values; where queries open for themselves, tilted by 1.5 · √2.5 spreads at most.
    bound = layer.v.abs().max() * (1.001 if way == "shared" else 3.4)
    assert float(result.output.abs().max()) <= float(bound)


@pytest.mark.parametrize("scale", [3.0, 30.0])
def test_what_is_not_read_has_no_say(scale: float) -> None:
    """A key of a closed splat may have any logit; so may a splat that is not in the cut."""
    layer, field = block_layer(1, 61)
    layer = replace(layer, q=scale * layer.q)
    position = field.position.clone()
    position[:, 0] *= 20
    field = replace(field, position=position, temper=torch.zeros_like(field.temper))
    plan = replace(PLAN, tokens=2)
    result = attended(layer, field, plan, keep=True)
    wanted = SlowBlocks(layer, field, plan).answers(result.openings)
    assert relative(result.output, wanted) < 1e-4


def test_a_loud_key_in_a_closed_splat_has_no_say() -> None:
    layer, field, plan = one_loud_key_in_a_closed_splat()
    output = attended(layer, field, plan).output
    slow = SlowBlocks(layer, field, plan)
    row = int((field.level[0] == PHRASE).nonzero())
    for head, query in ((0, 16), (1, 16), (0, 23), (1, 39)):
        assert len(slow.held(0, query // 8)[row].keys) > 3
        assert relative(output[0, head, query], slow.answer(head, query, [row], [])) < 1e-5


@DIRECTIONS
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("tokens", [1, 5, 8, 16])
def test_logits_far_below_zero_are_exact(tokens: int, way: str, causal: bool) -> None:
    """What is not there (padding, keys before the text) has a logit of 0 and no say."""
    layer, field = block_layer(1, tokens)
    layer, plan = turned(layer, PLAN, causal)
    generator = torch.Generator().manual_seed(0)
    away = torch.randn(6, generator=generator)
    layer = replace(
        layer,
        q=30 * (away + 0.1 * torch.randn(4, tokens, 6, generator=generator)),
        k=-30 * (away + 0.1 * torch.randn(2, tokens, 6, generator=generator)),
    )
    result = attended(layer, field, plan, own_reads(way, 4))
    assert relative(result.output, softmax_attention(layer)) < 1e-4


def test_inputs_are_left_as_they_are_and_need_not_be_contiguous() -> None:
    layer, field = block_layer(1, 64)
    wanted = attended(layer, field, PLAN, own_reads("mixed", 4)).output
    strided = replace(
        layer,
        **{n: getattr(layer, n).transpose(0, 1).contiguous().transpose(0, 1) for n in "qkv"},
    )
    versions = [getattr(strided, name)._version for name in "qkv"]
    found = attended(strided, field, PLAN, own_reads("mixed", 4)).output
    assert relative(found, wanted) < 1e-6
    assert [getattr(strided, name)._version for name in "qkv"] == versions


@DIRECTIONS
@pytest.mark.parametrize("way", WAYS)
def test_no_tensor_grows_faster_than_the_text(way: str, causal: bool) -> None:
    """Four times the text, four times the largest tensor: nothing is T × T."""
    largest = []
    for tokens in (512, 2048):
        layer, field = block_layer(1, tokens)
        plan = BlockPlan(block=16, splats=12, tokens=24, scored=4, chunk=4)
        layer, plan = turned(layer, plan, causal)
        with LargestMade() as made:
            attended(layer, field, plan, own_reads(way, 4))
        largest.append(made.bytes)
    assert largest[1] <= 4.1 * largest[0]


def test_the_test_of_growth_can_fail() -> None:
    largest = []
    for tokens in (128, 512):
        layer, _ = block_layer(1, tokens)
        with LargestMade() as made:
            softmax_attention(layer)
            _ = layer.q @ layer.q.mT
        largest.append(made.bytes)
    assert largest[1] > 10 * largest[0]
