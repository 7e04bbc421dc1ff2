"""What blocks and single queries open: the cut, its budgets, and the moments it is chosen by."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from hsa.activations import Activations
from hsa.attention.block_opening import cut, slots
from hsa.attention.block_plan import BlockPlan
from hsa.attention.block_sums import SplatTable, carry_sums, no_block_sums
from hsa.attention.blocked import BlockedResult
from hsa.attention.blocks import Blocks, into_blocks, tables
from hsa.attention.near import NearKeys
from hsa.attention.own_opening import open_alone
from hsa.errors import InputError
from hsa.field.layer_field import LayerField
from tests.attention.block_layers import DIRECTIONS, FULL, PLAN, attended, block_layer, turned
from tests.attention.random_layers import relative
from tests.attention.slow_blocks import PHRASE, SECTION, SlowBlocks

ROUNDING = 1e-4
"""A decision with a smaller gap than this may fall otherwise in float32."""


def in_blocks(layer: Activations, field: LayerField, plan: BlockPlan) -> Blocks:
    return into_blocks(layer.q, layer.k, layer.v, layer.scaling, field, plan)


def every_table(blocks: Blocks) -> SplatTable:
    """The tables of all blocks in one."""
    columns = zip(*(table.__dict__.values() for _, table in tables(blocks)), strict=True)
    return SplatTable(*(None if parts[0] is None else torch.cat(parts) for parts in columns))


def shared_cuts(result: BlockedResult) -> dict[tuple[int, int], tuple[list[int], list[int]]]:
    """(block, group): closed splats and tokens, in the order in which they are listed."""
    found, block = {}, 0
    for opening in result.openings:
        for at in range(opening.splat.shape[0]):
            for group in range(opening.splat.shape[1]):
                where = (at, group)
                found[block + at, group] = (
                    opening.splat[where][opening.splat_there[where]].tolist(),
                    opening.token[where][opening.token_there[where]].tolist(),
                )
        block += opening.splat.shape[0]
    return found


def alone_field(field: LayerField, head: int) -> LayerField:
    heads = field.temper.shape[1]
    return field.group(head // heads, slice(head % heads, head % heads + 1))


def own_cuts(
    blocks: Blocks, slow: SlowBlocks, head: int, reads: int
) -> dict[int, tuple[list[int], list[int], list[int]]]:
    """Query: closed splats, opened Phrases and tokens, of a head that opens for itself."""
    group, member = divmod(head, blocks.q.shape[1])
    size, table = blocks.plan.block, every_table(blocks)
    opening = open_alone(
        alone_field(blocks.field, head),
        table.group(group),
        blocks.y[group, member].unflatten(0, (blocks.count, size))[:, None, None],
        torch.tensor([[reads]]),
        blocks.plan.tilted,
    )
    closed, opened = (t[:, 0, 0].flatten(0, 1) for t in (opening.closed, opening.opened))
    found = {}
    for query in range(blocks.tokens):
        rows = opened[query].nonzero().flatten().tolist()
        far = slow.far(query // size)
        read = [j for j in far if int(blocks.keys.phrase[group, j]) in rows]
        found[query] = (closed[query].nonzero().flatten().tolist(), rows, read)
    return found


def covers_once(
    slow: SlowBlocks, group: int, block: int, closed: list[int], tokens: list[int]
) -> None:
    """Every far key lies under exactly one closed splat, or is read; nothing else is."""
    assert len(set(closed)) == len(closed) and len(set(tokens)) == len(tokens)
    under = dict.fromkeys(closed, 0)
    for key in slow.far(block):
        phrase = slow.phrase[group][key]
        path = {phrase, slow.parent[group][phrase]}
        for row in path & set(closed):
            under[row] += 1
        assert len(path & set(closed)) + (key in tokens) == 1
    assert set(tokens) <= set(slow.far(block))
    assert all(under.values()), "a closed splat without a far key costs a read for nothing"
    for row in {slow.phrase[group][key] for key in tokens}:
        whole = {key for key in slow.far(block) if slow.phrase[group][key] == row}
        assert len(whole) > 1 and whole <= set(tokens)


plans = st.builds(
    lambda splats, tokens, scored, chunk, causal: BlockPlan(
        8, splats, tokens, scored, chunk, causal=causal
    ),
    st.sampled_from([1, 6, 9, 13, 20, 40]),
    st.sampled_from([1, 2, 5, 12, 30, 100]),
    st.sampled_from([1, 2, 4, 8]),
    st.sampled_from([1, 2, 3, 64]),
    st.booleans(),
)


@given(seed=st.integers(0, 60), tokens=st.integers(1, 70), plan=plans)
@settings(max_examples=40, deadline=None, derandomize=True)
def test_a_shared_cut_covers_every_far_key_once_within_its_budgets(
    seed: int, tokens: int, plan: BlockPlan
) -> None:
    layer, field = block_layer(seed, tokens)
    layer, plan = turned(layer, plan, plan.causal)
    slow = SlowBlocks(layer, field, plan)
    assume(slow.routing_gap > ROUNDING)
    result = attended(layer, field, plan, keep=True)
    cuts = shared_cuts(result)
    assert len(cuts) == 2 * -(-tokens // plan.block)
    for (block, group), (closed, read) in cuts.items():
        covers_once(slow, group, block, closed, read)
        assert len(closed) <= max(plan.splats, 7) and len(read) <= plan.tokens
        assert result.reads[block, group].tolist() == [len(closed) + len(read)] * 2


@given(
    seed=st.integers(0, 60),
    tokens=st.integers(9, 70),
    reads=st.sampled_from([1, 8, 19, 30, 90]),
    causal=st.booleans(),
)
@settings(max_examples=20, deadline=None, derandomize=True)
def test_a_querys_own_cut_covers_every_far_key_once_within_its_budget(
    seed: int, tokens: int, reads: int, causal: bool
) -> None:
    layer, field = block_layer(seed, tokens)
    layer, plan = turned(layer, PLAN, causal)
    slow = SlowBlocks(layer, field, plan)
    assume(slow.routing_gap > ROUNDING)
    for head in (0, 3):
        group = head // 2
        sections = slow.level[group].count(SECTION)
        for query, (closed, opened, read) in own_cuts(
            in_blocks(layer, field, plan), slow, head, reads
        ).items():
            covers_once(slow, group, query // plan.block, closed, read)
            assert len(closed) + len(read) <= max(reads, sections)
            assert {slow.phrase[group][key] for key in read} == set(opened)


@given(seed=st.integers(0, 60), plan=plans)
@settings(max_examples=20, deadline=None, derandomize=True)
def test_a_block_opens_what_scoring_queries_expect_to_err_most_on(
    seed: int, plan: BlockPlan
) -> None:
    """Those of the block before; read both ways, its own."""
    layer, field = block_layer(seed, 52)
    layer, plan = turned(layer, plan, plan.causal)
    slow = SlowBlocks(layer, field, plan)
    assume(slow.routing_gap > ROUNDING)
    undecided = 0
    for (block, group), (closed, read) in shared_cuts(
        attended(layer, field, plan, keep=True)
    ).items():
        if block < 2 and plan.causal:
            assert not closed and not read
            continue
        wanted = slow.shared_cut(group, block)
        if wanted.closest_call < ROUNDING:
            undecided += 1
            continue
        assert (set(closed), set(read)) == (wanted.closed, wanted.tokens)
    assert undecided <= 2


@given(seed=st.integers(0, 60), reads=st.sampled_from([9, 16, 27, 60]), causal=st.booleans())
@settings(max_examples=14, deadline=None, derandomize=True)
def test_a_query_opens_what_it_expects_to_err_most_on(seed: int, reads: int, causal: bool) -> None:
    layer, field = block_layer(seed, 44)
    layer, plan = turned(layer, PLAN, causal)
    slow = SlowBlocks(layer, field, plan)
    assume(slow.routing_gap > ROUNDING)
    blocks, undecided = in_blocks(layer, field, plan), 0
    for head in (1, 2):
        for query, (closed, opened, _) in own_cuts(blocks, slow, head, reads).items():
            wanted = slow.own_cut(head, query, reads)
            if wanted.closest_call < ROUNDING:
                undecided += 1
                continue
            assert (set(closed), set(opened)) == (wanted.closed, wanted.opened)
    assert undecided <= 4


def test_the_cuts_under_test_hold_sections_phrases_and_tokens() -> None:
    """What the tests above compare would prove nothing on cuts of one kind alone."""
    layer, field = block_layer(2, 60)
    kinds = set()
    for (_, group), (closed, read) in shared_cuts(attended(layer, field, keep=True)).items():
        kinds |= {int(field.level[group, row]) for row in closed} | ({"token"} if read else set())
    assert kinds == {SECTION, PHRASE, "token"}


def three_sections(count: list[float]) -> tuple[LayerField, Tensor]:
    """A Document, Sections 1, 2 and 3, with Phrases 4, 5 · 6 · 7, 8, 9 that hold `count` keys."""
    _, field = block_layer(0, 8, 1, 1)
    level = torch.tensor([[0, 1, 1, 1, 2, 2, 2, 2, 2, 2]])
    parent = torch.tensor([[-1, 0, 0, 0, 1, 1, 2, 3, 3, 3]])
    sections = [sum(count[:2]), count[2], sum(count[3:])]
    return replace(field, level=level, parent=parent), torch.tensor([[0.0, *sections, *count]])


def by_hand(per_read: list[float], splats: int, tokens: int) -> tuple[set[int], set[int]]:
    """The cut of three Sections for given errors per read of rows 0 … 9."""
    field, count = three_sections([3.0, 1, 5, 2, 1, 2])
    cost = torch.tensor([[1.0, 2, 1, 3, 3, 1, 5, 2, 1, 2]])
    log_error = torch.tensor([per_read]) + cost.log()
    closed, opened = cut(field, count, log_error, slots(field, splats), tokens)
    return set(closed[0].nonzero().flatten().tolist()), set(opened[0].nonzero().flatten().tolist())


@pytest.mark.parametrize(
    ("splats", "tokens", "closed", "opened"),
    [
        (1, 0, {1, 6, 3}, set()),  # raised to three; Section 2's only child stands for it free
        (4, 0, {4, 5, 6, 3}, set()),  # Section 1 errs more per read than Section 3
        (5, 0, {4, 5, 6, 3}, set()),  # one more is not enough for Section 3
        (6, 0, {4, 5, 6, 7, 8, 9}, set()),
        (6, 4, {5, 6, 7, 8, 9}, {4}),  # three tokens of Phrase 4; two more fit no more
        (6, 8, {5, 7, 8, 9}, {4, 6}),
        (6, 99, {5, 8}, {4, 6, 7, 9}),  # a single token is exact as it is
        (3, 99, {1, 3}, {6}),
    ],
)
def test_a_cut_by_hand(splats: int, tokens: int, closed: set[int], opened: set[int]) -> None:
    errors = [9.0, 3, 9, 2, 8, 7, 6, 5, 4, 3]
    assert by_hand(errors, splats, tokens) == (closed, opened)


@pytest.mark.parametrize(
    ("tokens", "opened"),
    [
        (2, {7}),  # Phrases 4 and 6 are too dear, so is 9 after 7
        (5, {4, 7}),  # 6 does not fit beside 4
        (7, {4, 7, 9}),
        (6, {4, 7}),
    ],
)
def test_what_is_left_goes_to_what_fits(tokens: int, opened: set[int]) -> None:
    assert by_hand([9.0, 3, 9, 2, 8, 7, 6, 5, 4, 3], 6, tokens)[1] == opened


def test_a_section_too_dear_leaves_room_for_the_next() -> None:
    assert by_hand([9.0, 2, 9, 3, 8, 7, 6, 5, 4, 3], 4, 0)[0] == {4, 5, 6, 3}


def test_empty_splats_cost_nothing() -> None:
    """Section 1 holds no key and Section 3 one non-empty Phrase: free to open, nothing to read."""
    field, count = three_sections([0.0, 0, 3, 0, 4, 0])
    shut, opened = cut(field, count, torch.zeros_like(count), slots(field, 1), 3)
    assert shut[0].nonzero().flatten().tolist() == [8]
    assert opened[0].nonzero().flatten().tolist() == [6]


def test_every_head_has_a_budget_of_its_own() -> None:
    field, count = three_sections([3.0, 1, 5, 2, 1, 2])
    log_error = torch.zeros(4, 1, 10)
    budget = torch.tensor([0, 2, 7, 99]).view(4, 1, 1)
    shut, opened = cut(field, count.expand(4, 1, 10), log_error, slots(field, 6), budget)
    spent = (opened * count).sum(-1).flatten()
    assert spent.tolist() == [0, 2, 7, 12]
    assert (shut.sum(-1).flatten() + opened.sum(-1).flatten()).tolist() == [6] * 4


@DIRECTIONS
@pytest.mark.parametrize("chunk", [1, 2, 5, 64])
@pytest.mark.parametrize("tokens", [7, 8, 24, 61])
def test_moments_are_those_of_the_keys_in_each_splat(tokens: int, chunk: int, causal: bool) -> None:
    layer, field = block_layer(1, tokens, dim=8, value_dim=5)
    layer, plan = turned(layer, replace(PLAN, chunk=chunk), causal)
    slow = SlowBlocks(layer, field, plan)
    assert slow.routing_gap > ROUNDING
    table = every_table(in_blocks(layer, field, plan))
    assert table.count.shape[0] == -(-tokens // plan.block)
    for block in range(table.count.shape[0]):
        for group in range(2):
            held = slow.held(group, block)
            for row in range(field.level.shape[1]):
                at = (block, group, row)
                if row not in held:
                    assert table.count[at] == 0 and not table.variance[at].any()
                    assert not table.value[at].any() and not table.value_spread[at]
                    continue
                assert int(table.count[at]) == len(held[row].keys)
                for given_, wanted in (
                    (table.mean[at], held[row].mean),
                    (table.variance[at], held[row].variance),
                    (table.value[at], held[row].value),
                    (table.value_spread[at], held[row].value_variance.sqrt()),
                ):
                    assert float((given_ - wanted).abs().max()) < 1e-5 * float(table.mean.max())


def test_a_parents_sums_are_its_childrens() -> None:
    """Counts and values add as they stand; sums centred on μ after moving to the parent's."""
    layer, field = block_layer(3, 61)
    blocks = in_blocks(layer, field, PLAN)
    dim = layer.k.shape[2]
    sums = carry_sums(
        field, no_block_sums(field, layer.v.shape[-1]), blocks.keys, blocks.v, 8, PLAN.block
    )
    count, first, second, value, square = (
        t.double() for t in sums.split([1, dim, dim, layer.v.shape[-1], 1], dim=-1)
    )
    checked = 0
    for group in range(2):
        for section in (field.level[group] == SECTION).nonzero().flatten().tolist():
            children = (field.parent[group] == section) & (field.level[group] == PHRASE)
            n = count[:, group, children]
            move = (field.position[group, children] - field.position[group, section]).double()
            d, d2 = first[:, group, children], second[:, group, children]
            assert torch.equal(count[:, group, section], n.sum(1))
            for given_, wanted in (
                (first, d + n * move),
                (second, d2 + 2 * move * d + n * move**2),
                (value, value[:, group, children]),
                (square, square[:, group, children]),
            ):
                gap = given_[:, group, section] - wanted.sum(1)
                assert float(gap.abs().max()) < 1e-5 * float(given_.abs().max())
            checked += bool(n.sum() > 0)
    assert checked > 5
    inside = int((blocks.keys.phrase < field.level.shape[1]).sum())
    assert int(count[-1, field.level == PHRASE].sum()) == inside == 2 * (61 - 4)


def test_carrying_on_is_carrying_all_at_once() -> None:
    layer, field = block_layer(4, 64)
    blocks = in_blocks(layer, field, PLAN)
    none = no_block_sums(field, layer.v.shape[-1])
    whole = carry_sums(field, none, blocks.keys, blocks.v, 8, 8)
    first = carry_sums(field, none, blocks.keys.part(slice(0, 24)), blocks.v[:, :24], 3, 8)
    then = carry_sums(field, first[-1], blocks.keys.part(slice(24, 64)), blocks.v[:, 24:], 5, 8)
    assert relative(torch.cat([first, then]), whole) < 1e-6
    late = carry_sums(field, whole[0], blocks.keys.part(slice(8, 16)), blocks.v[:, 8:16], 3, 8)
    assert torch.equal(late[0], whole[0]) and torch.equal(late[1], whole[0])
    assert relative(late[2], whole[1]) < 1e-6


@pytest.mark.parametrize("away", [0.0, 300.0])
def test_moments_stay_exact_far_from_the_origin(away: float) -> None:
    """Sums are centred: a cloud 300 of its widths away keeps its variance."""
    layer, field = block_layer(5, 61)
    frame = torch.eye(6).expand(2, -1, -1)
    layer = replace(layer, k=layer.k + away)
    field = replace(field, frame=frame, position=field.position + away)
    slow = SlowBlocks(layer, field, PLAN)
    table = every_table(in_blocks(layer, field, PLAN))
    for row, held in slow.held(0, 7).items():
        gap = (table.variance[7, 0, row] - held.variance).abs().max()
        assert float(gap) < 2e-4 * float(table.variance[7].max())


@DIRECTIONS
@pytest.mark.parametrize("tokens", [1, 2, 9, 17, 45, 48])
def test_a_plans_near_keys_are_the_references(tokens: int, causal: bool) -> None:
    plan = replace(PLAN, block=8, causal=causal)
    assert plan.near == (NearKeys(4, 9, 8) if causal else NearKeys(0, 8, 8))
    queries = torch.arange(tokens)
    near = torch.zeros(tokens, dtype=torch.long)
    special = torch.zeros(tokens, dtype=torch.bool)
    special[[0, -1]] = not causal
    for block in plan.near.blocks(queries, special, causal):
        near[block.queries] = block.near(causal).sum(1)
    assert torch.equal(plan.near_read(queries, tokens), near)
    if tokens > 40:
        assert int(near.max()) + plan.splats + plan.tokens == plan.most_read


@pytest.mark.parametrize(
    "wrong", [{"scored": 3}, {"scored": 16}, {"block": 4}, {"splats": 0}, {"tokens": -1}]
)
def test_a_plan_that_makes_no_sense_is_refused(wrong: dict) -> None:
    with pytest.raises(InputError):
        replace(FULL, **wrong)
