"""The grid of heads against the engine's own results, taken apart slowly."""

from __future__ import annotations

import pytest
import torch

from hsa.activations import Activations
from hsa.attention import exact
from hsa.attention.near import NearKeys
from hsa.attention.reference import attend
from hsa.attention.spending import Spending
from hsa.evaluation.grid_summary import sentence, summarise
from hsa.evaluation.head_grid import HeadGrid, gather, grid_queries, layer_scores
from hsa.evaluation.scores import SCORES
from hsa.field.layer_field import LayerField, stack
from hsa.field.seeding import seed_field

GROUPS, MEMBERS, DIM = 2, 3, 8


def random_layer(tokens: int, causal: bool, seed: int = 0) -> tuple[Activations, LayerField]:
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    special = torch.zeros(tokens, dtype=torch.bool)
    if not causal:
        special[[0, -1]] = True
    activations = Activations(
        layer=0,
        q=1.5 * normal(GROUPS * MEMBERS, tokens, DIM),
        k=normal(GROUPS, tokens, DIM),
        v=normal(GROUPS, tokens, DIM),
        scaling=DIM**-0.5,
        causal=causal,
        near_special=special,
    )
    heads = [
        seed_field(normal(200, DIM), torch.eye(DIM) / DIM, (2, 5, 20), generator)
        for _ in range(GROUPS)
    ]
    shape = (GROUPS, MEMBERS, 3)
    return activations, stack(heads, torch.full(shape, 0.75), torch.ones(shape))


def spend(reads: int) -> Spending:
    return Spending(torch.full((GROUPS * MEMBERS,), reads))


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("reads", [8, 14, 1000])
def test_scores_are_those_of_the_engine(causal: bool, reads: int) -> None:
    tokens = 90
    activations, field = random_layer(tokens, causal)
    ids = [number % 7 for number in range(tokens)]
    scores = layer_scores(activations, field, spend(reads), ids)
    result = attend(activations, field, spend(reads))
    weights = exact.weights(activations)
    wanted = exact.output(activations, weights)
    norm = wanted.norm(dim=(1, 2))
    torch.testing.assert_close(
        scores.error, (result.output - wanted).norm(dim=(1, 2)) / norm, atol=1e-5, rtol=1e-4
    )
    spent = torch.cat([block.reads.flatten(0, 1) for block in result.blocks], dim=1).float()
    torch.testing.assert_close(scores.reads, spent.mean(1))
    near = torch.cat([block.near_count for block in result.blocks]).float().mean()
    assert scores.near_keys == pytest.approx(float(near))
    assert scores.visible_keys == pytest.approx((tokens + 1) / 2 if causal else tokens)
    torch.testing.assert_close(scores.mass.sum(-1), torch.ones(GROUPS * MEMBERS))

    mass = slow_mass(result, activations)
    torch.testing.assert_close(scores.mass, mass, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(
        scores.opened_only_error, slow_opened_only(result, activations, wanted),
        atol=1e-5, rtol=1e-4,
    )  # fmt: skip
    if reads == 1000:
        assert scores.exact_rows.min() == 1
        assert scores.error.max() < 1e-5
        torch.testing.assert_close(scores.error, scores.opened_only_error, atol=1e-5, rtol=0)


def tokens_read(result, head: int):
    """(query, its weights' log sum, bool [T] near, bool [T] opened) for each row of a head."""
    group, member = divmod(head, MEMBERS)
    phrase = result.tree.key_node[group, :, 2]
    for block in result.blocks:
        for at, query in enumerate(block.queries.tolist()):
            keys = torch.arange(block.far.numel())
            near = ~block.far & ((keys <= query) | (not result.causal))
            opened = block.far & (
                block.opened[group, member, at][phrase] | block.exact[group, member, at]
            )
            yield block, at, query, near, opened


def slow_mass(result, activations: Activations) -> torch.Tensor:
    logits = exact.logits(activations)
    rows = torch.zeros(GROUPS * MEMBERS, 5)
    for head in range(GROUPS * MEMBERS):
        group, member = divmod(head, MEMBERS)
        for block, at, query, near, opened in tokens_read(result, head):
            log_z = block.log_z[group, member, at]
            rows[head, 0] += (logits[head, query, near] - log_z).exp().sum()
            rows[head, 1] += (logits[head, query, opened] - log_z).exp().sum()
            closed = (block.log_mass[group, member, at] - log_z).exp()
            closed = closed.where(block.closed[group, member, at], 0.0)
            for place, level in enumerate((2, 1, 0), start=2):
                rows[head, place] += closed[result.tree.level[group] == level].sum()
    return rows / result.queries.numel()


def slow_opened_only(result, activations: Activations, wanted: torch.Tensor) -> torch.Tensor:
    logits = exact.logits(activations)
    errors = []
    for head in range(GROUPS * MEMBERS):
        given = torch.zeros_like(wanted[head])
        for _, _, query, near, opened in tokens_read(result, head):
            kept = logits[head, query].masked_fill(~(near | opened), -torch.inf).softmax(0)
            given[query] = kept @ activations.v[head // MEMBERS]
        errors.append((given - wanted[head]).norm() / wanted[head].norm())
    return torch.stack(errors)


def test_every_query_up_to_512_and_64_beyond() -> None:
    assert grid_queries(512, True).tolist() == list(range(512))
    for tokens in (513, 777, 2048, 8192):
        for causal in (True, False):
            queries = grid_queries(tokens, causal)
            assert queries.numel() == 64
            assert queries.unique().numel() == 64
            assert int(queries.min()) >= 0
            assert tokens - 64 <= int(queries.max()) < tokens
            near = NearKeys.for_length(tokens, causal)
            blocks = list(near.blocks(queries, torch.zeros(tokens, dtype=torch.bool), causal))
            assert len(blocks) <= 8


def test_chosen_queries_have_the_scores_of_their_rows_alone() -> None:
    activations, field = random_layer(90, True)
    ids = list(range(90))
    queries = torch.tensor([3, 40, 41, 88])
    scores = layer_scores(activations, field, spend(14), ids, queries)
    wanted = exact.output(activations, exact.weights(activations, queries))
    given = attend(activations, field, spend(14), queries).output
    error = (given - wanted).norm(dim=(1, 2)) / wanted.norm(dim=(1, 2))
    torch.testing.assert_close(scores.error, error, atol=1e-5, rtol=1e-4)
    assert scores.induction.isnan().all()


def small_grid() -> HeadGrid:
    rows = []
    for seed in range(2):
        activations, field = random_layer(40, True, seed)
        rows.append(layer_scores(activations, field, spend(8), [n % 5 for n in range(40)]))
    return gather(rows, torch.arange(40), 40)


def test_the_grid_stacks_layers_and_says_what_it_is() -> None:
    grid = small_grid()
    assert (grid.layers, grid.heads, grid.all_queries) == (2, GROUPS * MEMBERS, True)
    for score in SCORES.values():
        assert score.of(grid).shape == (2, GROUPS * MEMBERS)
    torch.testing.assert_close(grid.agreement, 1 - grid.error)
    summary = summarise(grid)
    assert summary.worst_error == pytest.approx(float(grid.error.max()))
    assert float(grid.error[summary.worst_head]) == pytest.approx(summary.worst_error)
    assert "Over 12 heads" in sentence(summary)


def test_one_token_has_scores() -> None:
    activations, field = random_layer(1, True)
    scores = layer_scores(activations, field, spend(4), [3])
    assert scores.error.max() < 1e-6
    assert scores.mass[:, 0].tolist() == [1.0] * (GROUPS * MEMBERS)
