"""What a map may promise: the same points the same map, and what did not change stands still."""

from __future__ import annotations

import math
import threading
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hsa.atlas.alignment import similarity
from hsa.atlas.atlas import AtlasHead, gather, laid_over, side_by_side
from hsa.atlas.attributes import Attribute, field_attributes
from hsa.atlas.descent import descend
from hsa.atlas.fuzzy_graph import fuzzy_graph
from hsa.atlas.layout import Layout, pca_layout
from hsa.atlas.marks import key_marks, query_marks
from hsa.atlas.projection import principal_axes, standard_size
from hsa.atlas.umap_layout import MOST_SPLATS, carried_layout, umap_layout, why_not
from hsa.atlas.warm_start import starting_places
from hsa.field.splat_field import SplatField
from tests.atlas.small_fields import small_field


def chosen(field: SplatField, rows: torch.Tensor) -> SplatField:
    """Some Phrases of a field left out, the rest as it was."""
    return replace(
        field, position=field.position[rows], log_spread=field.log_spread[rows],
        log_amplitude=field.log_amplitude[rows], level=field.level[rows],
        parent=field.parent[rows], splat_id=field.splat_id[rows],
    )  # fmt: skip


def knit(layout: Layout, field: SplatField) -> float:
    """How much of each splat's six nearest in the frame are its six nearest on the plane."""
    near = [
        torch.cdist(points, points).argsort(1)[:, 1:7] for points in (field.position, layout.place)
    ]
    return float((near[0].unsqueeze(2) == near[1].unsqueeze(1)).any(2).float().mean())


def test_principal_axes_are_those_of_the_covariance_and_signed() -> None:
    points = torch.randn(60, 5, generator=torch.Generator().manual_seed(1)) * torch.tensor(
        [5.0, 3.0, 1.0, 0.5, 0.1]
    )
    axes = principal_axes(points)
    variance = torch.linalg.eigvalsh(torch.cov(points.T)).flip(0)
    assert torch.allclose(axes.at(points).var(0), variance[:2], rtol=1e-4)
    assert torch.allclose(axes.direction @ axes.direction.T, torch.eye(2), atol=1e-5)
    assert bool((axes.direction.gather(1, axes.direction.abs().argmax(1, keepdim=True)) > 0).all())
    shuffled = points[torch.randperm(60, generator=torch.Generator().manual_seed(2))]
    assert torch.allclose(principal_axes(shuffled).direction, axes.direction, atol=1e-4)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_one_two_and_three_splats_have_a_map(count: int) -> None:
    field = small_field(documents=count, sections=0, phrases=0)
    layout = umap_layout(field)
    assert layout.method == "PCA" and "needs 5 splats" in layout.note
    assert layout.place.isfinite().all() and layout.place.shape == (count, 2)
    apart = torch.cdist(layout.place, layout.place)
    there = torch.cdist(field.position, field.position)
    if count > 1:
        # Up to three points lie in a plane: but for their size, distances are those of the frame.
        assert torch.allclose(apart / apart.max(), there / there.max(), atol=1e-4)
    same = replace(field, position=torch.ones_like(field.position))
    assert bool((pca_layout(same).place == 0).all())


def test_too_many_splats_keep_the_principal_components_and_say_so() -> None:
    assert "up to 2,500 splats" in why_not(MOST_SPLATS + 1) and not why_not(MOST_SPLATS)


@settings(deadline=None, max_examples=30)
@given(
    seed=st.integers(0, 10_000),
    turn=st.floats(0, 6.28),
    scale=st.floats(0.1, 9),
    flip=st.booleans(),
)
def test_a_similarity_is_found_again(seed: int, turn: float, scale: float, flip: bool) -> None:
    here = torch.randn(9, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    around = torch.tensor(
        [[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]], dtype=torch.float64
    )
    if flip:
        around = around @ torch.diag(torch.tensor([1.0, -1.0], dtype=torch.float64))
    there = scale * here @ around.T + torch.tensor([3.0, -2.0])
    found = similarity(here, there)
    assert torch.allclose(found(here).double(), there, atol=1e-4 * scale)
    assert found.scale == pytest.approx(scale, rel=1e-4)
    rigid = similarity(here, there, scaled=False)
    assert rigid.scale == 1 and torch.allclose(rigid.turn, found.turn)
    assert torch.allclose(rigid(here).double().mean(0), there.mean(0), atol=1e-4 * scale)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_rows_are_aligned_as_far_as_they_tell(count: int) -> None:
    moving, fixed = torch.arange(2.0 * count).view(count, 2), torch.ones(count, 2)
    moved = similarity(moving, fixed)(moving)
    assert moved.isfinite().all()
    if count:
        assert torch.allclose(moved.mean(0), torch.ones(2))


def test_the_fuzzy_graph_gives_every_point_its_share_of_neighbours() -> None:
    points = torch.randn(50, 6, generator=torch.Generator().manual_seed(3))
    graph = fuzzy_graph(points, neighbours=8)
    assert torch.equal(graph, graph.T) and bool((graph.diagonal() == 0).all())
    assert float(graph.min()) >= 0 and float(graph.max()) == pytest.approx(1.0)
    nearest = torch.cdist(points, points).fill_diagonal_(torch.inf).argmin(1)
    assert torch.allclose(graph[torch.arange(50), nearest], torch.ones(50)), "its edge is certain"
    # Σ over its own edges is log₂ 8; the other side can only add.
    assert float(graph.sum(1).min()) >= 3 - 1e-4
    assert fuzzy_graph(torch.ones(6, 3)).isfinite().all()


def test_the_descent_follows_its_loss() -> None:
    """The force is minus the gradient of the loss in the docstring, where nothing is clipped."""
    from hsa.atlas import descent

    graph = fuzzy_graph(torch.randn(12, 4, generator=torch.Generator().manual_seed(4)))
    place = (3 * torch.randn(12, 2, generator=torch.Generator().manual_seed(5))).requires_grad_()
    degree = graph.sum(1)
    push = descent.DRAWN_AWAY / 12 * (degree.unsqueeze(1) + degree) / 2
    one = ~torch.eye(12, dtype=torch.bool)
    square = (place.unsqueeze(1) - place).square().sum(-1)[one]
    powered = descent.A * square**descent.B
    away = powered / (1 + powered)
    # Each pair stands twice in the sum, and the force has the 2 of 2 μ.
    loss = (graph[one] * (1 + powered).log() - 0.5 * push[one] * away.log()).sum()
    loss.backward()
    force = descent._force(graph, push, place.detach())
    # 0.001 in the push keeps it finite, and is what differs.
    assert place.grad is not None
    assert torch.allclose(force, -place.grad, rtol=0.02, atol=0.02)


def test_umap_keeps_neighbourhoods_and_is_the_same_again_in_any_thread() -> None:
    field = small_field(documents=4, sections=12, phrases=84, dim=16)
    first = umap_layout(field)
    assert first.method == "UMAP" and not first.note
    assert float(first.place.square().sum(1).mean()) == pytest.approx(1.0, rel=1e-4)
    assert knit(first, field) > knit(pca_layout(field), field) + 0.05
    found: list[Layout] = []
    threads = [threading.Thread(target=lambda: found.append(umap_layout(field))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4 and all(torch.equal(one.place, first.place) for one in found)


def test_a_stopped_descent_gives_what_it_reached() -> None:
    field = small_field()
    start = pca_layout(field).place
    graph = fuzzy_graph(field.position)
    assert torch.equal(descend(graph, start, 50, 0.5, stopped=lambda: True), start)


def test_newborns_begin_among_their_neighbours() -> None:
    field = small_field()
    before = chosen(field, torch.arange(field.splats - 1))
    known = pca_layout(before)
    start = starting_places(known, field.splat_id, field.position)
    assert torch.equal(start[:-1], known.place)
    near = torch.cdist(field.position[-1:], before.position)[0].argsort()[:5]
    assert torch.allclose(start[-1], known.place[near].mean(0))
    nobody = Layout(torch.tensor([99, 98]), torch.ones(2, 2), "PCA")
    assert bool((starting_places(nobody, field.splat_id, field.position) == 0).all())


def test_the_map_stays_still_when_the_field_changes() -> None:
    field = small_field(documents=4, sections=12, phrases=84, dim=16)
    known = umap_layout(field)
    gone = torch.arange(field.splats) % 10 != 9
    gone[:16] = True
    drifted = replace(field, position=field.position + 0.05 * torch.randn(100, 16))
    after = carried_layout(known, chosen(drifted, gone.nonzero().squeeze(1)))
    moved = (after.place - known.place[gone]).norm(dim=1).mean()
    assert after.method == "UMAP" and float(moved) < 0.1, "of a root-mean-square distance of 1"
    afresh = umap_layout(chosen(small_field(4, 12, 84, 16, seed=9), gone.nonzero().squeeze(1)))
    assert float((afresh.place - known.place[gone]).norm(dim=1).mean()) > 0.5


def test_heads_side_by_side_and_over_one_another() -> None:
    fields = [small_field(seed=seed) for seed in range(3)]
    heads = [
        AtlasHead(5, group, field, pca_layout(field), field_attributes(field))
        for group, field in enumerate(fields)
    ]
    heads[1] = replace(
        heads[1], attributes=(*heads[1].attributes, Attribute("age", "Age", "", torch.ones(30)))
    )
    together = gather(heads, side_by_side(gather(heads).move))
    assert together.splats == 90 and together.heads == ((5, 0), (5, 1), (5, 2))
    assert together.row_of(5, 2, 7) == 67 and together.row_of(5, 2, 99) is None
    assert together.row_of(4, 2, 7) is None and together.rows(5, 1) == slice(30, 60)
    children = together.parent >= 0
    assert bool((together.level[together.parent[children]] == together.level[children] - 1).all())
    assert bool((together.head[together.parent[children]] == together.head[children]).all())
    age = together.attribute("age").numbers
    assert int(age.isnan().sum()) == 60 and float(age[30:60].sum()) == 30
    middles = torch.stack([together.place[together.head == head].mean(0) for head in range(3)])
    assert float(torch.pdist(middles).min()) > 3
    keys = [torch.randn(20, 2, generator=torch.Generator().manual_seed(1))]
    keys.append(keys[0] @ torch.tensor([[0.0, 1.0], [-1.0, 0.0]]) + 1)
    over = laid_over(keys)
    assert torch.allclose(over[1](keys[1]), keys[0], atol=1e-4)


def test_keys_stand_among_their_phrases_and_queries_where_they_look() -> None:
    field = small_field()
    place = standard_size(pca_layout(field).place)
    on = key_marks(field.position[10:14], field).at(place)
    assert torch.allclose(on, place[10:14], atol=1e-3), "a key at a Phrase's place lies on it"
    looking = query_marks(
        on, torch.tensor([[0, 1], [2, 3]]), torch.tensor([[0.2, 0.2], [0.0, 0.0]])
    )
    assert torch.allclose(looking[0], on[:2].mean(0)) and bool(looking[1].isnan().all())
