"""HSA reference attention against the slow definition and against exact attention."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hsa.activations import Activations
from hsa.attention import exact
from hsa.attention.near import NearKeys
from hsa.attention.reference import attend
from hsa.attention.result import HSAResult
from hsa.attention.spending import Spending
from hsa.attention.views import block_views, into_layer
from hsa.errors import InputError
from hsa.field.layer_field import LayerField, stack
from hsa.field.splat_field import SplatField
from tests.attention.random_layers import random_layer, relative
from tests.attention.slow import SlowHead, SlowRow

ROUNDING = 1e-4
"""A decision with a smaller gap than this may fall otherwise in float32."""


def uniform(activations: Activations, reads: int) -> Spending:
    return Spending(torch.full((activations.q.shape[0],), reads))


def forced_open(activations: Activations) -> Spending:
    heads = activations.q.shape[0]
    return Spending(torch.full((heads,), 10**9), torch.zeros(heads))


def exact_output(activations: Activations) -> torch.Tensor:
    return exact.output(activations, exact.weights(activations))


def cut_of(result: HSAResult, head: int, query: int) -> dict:
    """What the result says of one row, splats by row of the field."""
    heads = result.blocks[0].closed.shape[1]
    group, member = divmod(head, heads)
    row = result.tree.row[group]
    for block in result.blocks:
        at = (block.queries == query).nonzero().flatten()
        if at.numel():
            where = (group, member, int(at))
            return {
                "closed": set(row[block.closed[where]].tolist()),
                "opened": set(row[block.opened[where]].tolist()),
                "reads": int(block.reads[where]),
                "raised": bool(block.raised[where]),
                "whole": bool(block.exact[where]),
                "log_z": float(block.log_z[where]),
                "count": block.count[group],
                "far": block.far,
            }
    raise AssertionError(f"no row for query {query}")


def compare(
    activations: Activations,
    field: LayerField,
    near: NearKeys,
    spending: Spending,
    result: HSAResult,
    queries: range,
) -> int:
    """Every row of the result is the definition's; returns how many were told apart by luck."""
    undecided = 0
    scale = float(result.output.abs().max())
    for head in range(activations.q.shape[0]):
        slow = SlowHead(activations, field, head, (near.sinks, near.window, near.step))
        assert slow.routing_gap > ROUNDING, "choose another seed"
        stop = None if spending.stop_error is None else float(spending.stop_error[head])
        for query in queries:
            wanted = slow.attend(query, int(spending.reads[head]), stop)
            if wanted.closest_call < ROUNDING:
                undecided += 1
                continue
            same_row(cut_of(result, head, query), wanted)
            assert float((result.output[head, query] - wanted.output).abs().max()) < 2e-5 * scale
    return undecided


def same_row(found: dict, wanted: SlowRow) -> None:
    assert found["closed"] == wanted.closed
    assert found["opened"] == wanted.opened
    assert found["reads"] == wanted.reads
    assert found["raised"] == wanted.raised
    assert found["whole"] == wanted.whole
    assert abs(found["log_z"] - wanted.log_z) < 2e-5


@given(
    seed=st.integers(0, 50),
    reads=st.integers(1, 40),
    causal=st.booleans(),
    groups=st.integers(1, 2),
    group=st.integers(1, 2),
    near=st.sampled_from([(1, 4, 4), (2, 6, 3), (0, 3, 2), (4, 8, 8)]),
)
@settings(max_examples=14, deadline=None, derandomize=True)
def test_partial_budgets_are_the_definition(
    seed: int, reads: int, causal: bool, groups: int, group: int, near: tuple[int, int, int]
) -> None:
    special = () if causal else (0, 47)
    activations, field = random_layer(seed, 48, groups, group, causal=causal, special=special)
    sizes, spending = NearKeys(*near), uniform(activations, reads)
    result = attend(activations, field, spending, near=sizes)
    undecided = compare(activations, field, sizes, spending, result, range(0, 48, 5))
    assert undecided <= 2 * activations.q.shape[0]


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("stop", [2.0, 0.5, 0.05])
def test_stopping_by_error_is_the_definition(causal: bool, stop: float) -> None:
    activations, field = random_layer(3, 64, 2, 2, causal=causal)
    near = NearKeys.for_length(64, causal)
    # Heads stop at different errors, under a cap that some of them meet.
    limits = stop * torch.tensor([1.0, 0.3, 2.0, 0.1])
    spending = Spending(torch.tensor([60, 12, 60, 30]), limits)
    result = attend(activations, field, spending)
    assert compare(activations, field, near, spending, result, range(20, 64, 6)) <= 4


def test_stopping_survives_a_coarse_splat_far_above_the_row() -> None:
    """Sharp queries put the Gaussian mass of Documents e^20 and more above the row's own."""
    activations, field = random_layer(8, 64, 1, 2, sharpness=4.0)
    near = NearKeys.for_length(64, True)
    spending = Spending(torch.tensor([60, 60]), torch.tensor([0.3, 0.05]))
    result = attend(activations, field, spending)
    views = block_views(into_layer(activations, field), torch.arange(20, 64))
    above = max(
        float((v.gaussian + 0.5 * v.spread).amax(-1).sub(v.logits.amax(-1)).max()) for v in views
    )
    assert above > 20
    assert compare(activations, field, near, spending, result, range(20, 64, 2)) <= 6


@pytest.mark.parametrize("causal", [True, False])
def test_full_budget_is_exact_attention(causal: bool) -> None:
    activations, field = random_layer(1, 90, 2, 3, causal=causal, special=() if causal else (0,))
    result = attend(activations, field, uniform(activations, 90))
    assert relative(result.output, exact_output(activations)) < 2e-6
    assert all(bool(block.exact.all()) and not block.closed.any() for block in result.blocks)


@pytest.mark.parametrize("causal", [True, False])
def test_every_splat_forced_open_is_exact_attention(causal: bool) -> None:
    activations, field = random_layer(2, 90, 2, 3, causal=causal)
    result = attend(activations, field, forced_open(activations))
    assert relative(result.output, exact_output(activations)) < 5e-6
    for block in result.blocks:
        assert not block.exact.any()
        several = (block.count > 1)[:, None, None]
        assert not (block.closed & several).any(), "only single tokens may stay closed"
    assert any(bool(block.opened.any()) for block in result.blocks)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("reads", [1, 7, 15, 29])
def test_reads_stay_within_the_budget_and_are_what_was_read(causal: bool, reads: int) -> None:
    activations, field = random_layer(5, 80, causal=causal)
    result = attend(activations, field, uniform(activations, reads))
    raised = 0
    for head in range(activations.q.shape[0]):
        group = head // activations.group
        parent, level = field.parent[group].tolist(), field.level[group].tolist()
        for query in range(0, 80, 7):
            found = cut_of(result, head, query)
            if found["whole"]:
                assert found["reads"] == int(found["far"].sum()) <= reads
                continue
            count = dict(zip(result.tree.row[group].tolist(), found["count"].tolist(), strict=True))
            tokens = sum(count[row] for row in found["opened"] if level[row] == 2)
            counted = len(found["closed"]) + len(found["opened"]) + tokens
            assert found["reads"] == counted
            assert found["reads"] <= reads or (found["raised"] and not found["opened"])
            raised += found["raised"]
            _covers_once(result, found, group, parent)
    assert raised > 0 if reads == 1 else raised == 0


def _covers_once(result: HSAResult, found: dict, group: int, parent: list[int]) -> None:
    """Every far key lies under exactly one closed splat, or in an opened Phrase."""
    row = result.tree.row[group]
    for key in found["far"].nonzero().flatten().tolist():
        path = row[result.tree.key_node[group, key]].tolist()
        answers = sum(splat in found["closed"] for splat in path) + (path[2] in found["opened"])
        assert answers == 1


def test_a_budget_below_the_roots_is_raised() -> None:
    activations, field = random_layer(5, 80, 1, 1)
    result = attend(activations, field, uniform(activations, 1))
    found = cut_of(result, 0, 79)
    documents = {row for row in range(field.level.shape[1]) if int(field.level[0, row]) == 0}
    assert found["raised"] and found["reads"] == len(documents) == len(found["closed"])
    enough = cut_of(attend(activations, field, uniform(activations, 3)), 0, 79)
    assert not enough["raised"] and enough["reads"] == 3


def hand_made() -> tuple[Activations, LayerField]:
    """Two Documents: one is a chain down to a single Phrase, the other has two Sections.

    Keys 0-3 lie in Phrase 5 (the chain), 4-6 in Phrase 6, key 7 alone in Phrase 7; the last two
    are near.
    """
    position = torch.tensor([[-9.0, 0], [9, 0], [-9, 0], [9, 5], [9, -5], [-9, 0], [9, 5], [9, -5]])
    splats = SplatField(
        frame=torch.eye(2),
        position=position,
        log_spread=torch.zeros(8, 2),
        log_amplitude=torch.tensor([0.5, 0.5, 0.5, 0.3, 0.2, 0.5, 0.3, 0.2]).log(),
        level=torch.tensor([0, 0, 1, 1, 1, 2, 2, 2]),
        parent=torch.tensor([-1, -1, 0, 1, 1, 2, 3, 4]),
        splat_id=torch.arange(100, 108),
    )
    generator = torch.Generator().manual_seed(0)
    home = torch.tensor([5, 5, 5, 5, 6, 6, 6, 7, 5, 6])
    k = position[home] + 0.3 * torch.randn(10, 2, generator=generator)
    activations = Activations(
        layer=0,
        q=0.1 * torch.randn(1, 10, 2, generator=generator),
        k=k.unsqueeze(0),
        v=torch.randn(1, 10, 2, generator=generator),
        scaling=1.0,
        causal=True,
        near_special=torch.zeros(10, dtype=torch.bool),
    )
    return activations, stack([splats], torch.full((1, 1, 3), 0.5), torch.ones(1, 1, 3))


@pytest.mark.parametrize(
    ("reads", "closed", "spent"),
    [
        (2, {5, 1}, 2),  # the chain's Phrase stands for its Document at no cost
        (3, {5, 1}, 2),  # two children or three tokens fit no more
        (4, {5, 6, 7}, 4),  # each Section was replaced by its only Phrase
        (7, {5, 7}, 7),  # then three tokens; the single token of Phrase 7 stays as it is
    ],
)
def test_chains_are_replaced_and_single_tokens_stay(
    reads: int, closed: set[int], spent: int
) -> None:
    activations, field = hand_made()
    # Open the second Document first: the chain's keys carry almost nothing for this query.
    activations = replace(activations, q=torch.tensor([[[1.0, 0.2]]]).expand(1, 10, 2))
    result = attend(activations, field, uniform(activations, reads), near=NearKeys(0, 2, 2))
    found = cut_of(result, 0, 9)
    assert found["far"].sum() == 8
    assert (found["closed"], found["reads"]) == (closed, spent)


def test_a_splat_of_one_key_is_exact() -> None:
    """Phrase 7 holds one key, so closing it costs nothing: only the others' error is left."""
    activations, field = hand_made()
    result = attend(
        activations, field, forced_open(activations), torch.tensor([9]), NearKeys(0, 2, 2)
    )
    assert cut_of(result, 0, 9)["closed"] == {7}
    assert relative(result.output, exact_output(activations)[:, 9:]) < 1e-6


def test_later_tokens_change_nothing_earlier() -> None:
    activations, field = random_layer(4, 80)
    other, _ = random_layer(40, 80)
    changed = replace(
        activations,
        **{
            name: torch.cat([getattr(activations, name)[:, :50], getattr(other, name)[:, 50:]], 1)
            for name in ("q", "k", "v")
        },
    )
    spending = uniform(activations, 9)
    before, after = attend(activations, field, spending), attend(changed, field, spending)
    # Later keys may use other Phrases, hence other nodes: sums run in another order.
    assert relative(after.output[:, :50], before.output[:, :50]) < 1e-6
    assert relative(after.output[:, 50:], before.output[:, 50:]) > 1e-2
    same_keys = replace(activations, q=changed.q, v=changed.v)
    assert torch.equal(attend(same_keys, field, spending).output[:, :50], before.output[:, :50])


def test_a_text_continued_is_the_text_in_full() -> None:
    """Snapshots stand at fixed places: a prefix gives the rows that the whole text has."""
    activations, field = random_layer(6, 80)
    near, spending = NearKeys(1, 6, 6), uniform(activations, 9)
    prefix = replace(
        activations,
        q=activations.q[:, :53],
        k=activations.k[:, :53],
        v=activations.v[:, :53],
        near_special=activations.near_special[:53],
    )
    whole = attend(activations, field, spending, near=near).output[:, :53]
    assert relative(attend(prefix, field, spending, near=near).output, whole) < 1e-6


def test_some_queries_are_those_of_all() -> None:
    activations, field = random_layer(7, 80)
    spending = uniform(activations, 11)
    whole = attend(activations, field, spending)
    queries = torch.tensor([70, 3, 41])
    some = attend(activations, field, spending, queries)
    assert torch.equal(some.queries, queries)
    assert relative(some.output, whole.output[:, queries]) < 1e-6


def test_a_head_alone_is_the_head_among_all() -> None:
    activations, field = random_layer(7, 80, 2, 3)
    spending = Spending(torch.tensor([4, 8, 12, 16, 20, 24]))
    whole = attend(activations, field, spending)
    alone = replace(activations, q=activations.q[4:5], k=activations.k[1:2], v=activations.v[1:2])
    one = attend(alone, field.group(1, slice(1, 2)), spending.heads(slice(4, 5)))
    assert relative(one.output[0], whole.output[4]) < 1e-6


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.bfloat16, 0.05), (torch.float16, 0.006)])
def test_half_precision(dtype: torch.dtype, tolerance: float) -> None:
    """Moments are float32: rounding the inputs is all that is lost."""
    activations, field = random_layer(9, 90, 2, 2, sharpness=1.0)
    half = replace(
        activations,
        **{name: getattr(activations, name).to(dtype) for name in ("q", "k", "v")},
    )
    widened = replace(half, **{n: getattr(half, n).float() for n in ("q", "k", "v")})
    spending = uniform(activations, 90)
    assert torch.equal(
        attend(half, field, uniform(half, 12)).output,
        attend(widened, field, uniform(half, 12)).output,
    )
    assert relative(attend(half, field, spending).output, exact_output(activations)) < tolerance


def test_more_reads_leave_less_error() -> None:
    activations, field = random_layer(10, 120, 2, 3)
    wanted = exact_output(activations)
    errors = [
        float((attend(activations, field, uniform(activations, reads)).output - wanted).norm())
        for reads in (3, 10, 25, 60)
    ]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.5 * errors[0]


def test_a_field_of_another_shape_is_refused() -> None:
    activations, _ = random_layer(0, groups=2)
    _, other = random_layer(0, groups=1)
    with pytest.raises(InputError, match="heads"):
        attend(activations, other, uniform(activations, 5))


def test_a_sliding_window_shorter_than_the_text_is_refused() -> None:
    activations, field = random_layer(0)
    with pytest.raises(InputError, match="sliding window"):
        attend(replace(activations, sliding_window=30), field, uniform(activations, 5))
    wide = attend(replace(activations, sliding_window=60), field, uniform(activations, 5))
    assert wide.output.isfinite().all()
