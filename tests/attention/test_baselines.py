"""What HSA is compared with."""

from __future__ import annotations

import pytest
import torch

from hsa.attention import exact
from hsa.attention.baselines import (
    opened_read,
    oracle_outputs,
    oracle_read,
    page_read,
    softmax_over,
)
from hsa.attention.reference import choose_cut
from hsa.attention.views import BlockView, block_views, into_layer
from tests.attention.random_layers import random_layer, relative


def views(causal: bool = True) -> tuple[torch.Tensor, list[BlockView]]:
    activations, field = random_layer(11, 90, 2, 2, causal=causal)
    queries = torch.arange(30, 90)
    wanted = exact.output(activations, exact.weights(activations, queries))
    return wanted, list(block_views(into_layer(activations, field), queries))


def output(view: BlockView, read: torch.Tensor) -> torch.Tensor:
    return (softmax_over(view, read) @ view.layer.v).unflatten(1, (view.heads, -1)).flatten(0, 1)


def rows(view: BlockView, k: int) -> torch.Tensor:
    return torch.full(view.y.shape[:2], k)


@pytest.mark.parametrize("causal", [True, False])
def test_the_oracle_with_all_far_keys_is_exact(causal: bool) -> None:
    wanted, found = views(causal)
    given = torch.cat([output(view, oracle_read(view, rows(view, 90))) for view in found], dim=1)
    assert relative(given, wanted) < 2e-6
    several = torch.cat([list(oracle_outputs(view, [3, 200]))[-1] for view in found], dim=1)
    assert relative(several, wanted) < 2e-6


def test_the_oracle_reads_the_largest_far_logits() -> None:
    for view in views()[1]:
        read = oracle_read(view, rows(view, 5))
        far = read & view.block.far
        assert (far.sum(-1) == min(5, int(view.block.far.sum()))).all()
        assert (read & ~view.block.far).equal(view.near.expand_as(read))
        least = view.logits.masked_fill(~far, torch.inf).amin(-1)
        missed = view.logits.masked_fill(far | ~view.block.far, -torch.inf).amax(-1)
        assert (least >= missed).all()


def test_oracle_outputs_are_those_of_its_keys() -> None:
    for view in views()[1]:
        reads = [0, 1, 4, 9, 1000]
        for k, given in zip(reads, oracle_outputs(view, reads), strict=True):
            assert relative(given, output(view, oracle_read(view, rows(view, k)))) < 5e-6


def test_more_reads_bring_the_oracle_nearer() -> None:
    wanted, found = views()
    errors = [
        float((torch.cat([next(oracle_outputs(v, [k])) for v in found], 1) - wanted).norm())
        for k in (0, 2, 8, 30)
    ]
    assert errors == sorted(errors, reverse=True) and errors[0] > 2 * errors[-1] > 0


def test_pages_stay_within_their_reads_and_hold_whole_pages() -> None:
    for view in views()[1]:
        read = page_read(view, rows(view, 12), page=4)
        far = read & view.block.far
        assert (far.sum(-1) <= 12).all()
        sizes = view.block.far.float().view(1, 1, -1)
        paged = torch.nn.functional.pad(far.float(), (0, -far.shape[-1] % 4)).unflatten(-1, (-1, 4))
        full = torch.nn.functional.pad(sizes, (0, -sizes.shape[-1] % 4)).unflatten(-1, (-1, 4))
        whole = (paged.sum(-1) == full.sum(-1)) | (paged.sum(-1) == 0)
        assert whole.all()
        assert (read & ~view.block.far).equal(view.near.expand_as(read))


def test_pages_with_enough_reads_are_exact() -> None:
    wanted, found = views()
    given = torch.cat([output(view, page_read(view, rows(view, 200), 4)) for view in found], 1)
    assert relative(given, wanted) < 2e-6


def test_opened_only_reads_near_keys_and_opened_phrases() -> None:
    some = 0
    for view in views()[1]:
        cut, whole = choose_cut(view, torch.full((2, 2), 14))
        read = opened_read(view, cut, whole)
        for group in range(2):
            phrase = view.layer.tree.key_node[group, :, 2]
            for row in range(0, view.y.shape[1], 5):
                opened = set(cut.opened[group, row].nonzero().flatten().tolist())
                for key in range(90):
                    far = bool(view.block.far[key])
                    expected = far and (bool(whole[group, row]) or int(phrase[key]) in opened)
                    assert bool(read[group, row, key]) == (expected or bool(view.near[row, key]))
                    some += expected
    assert some > 20
