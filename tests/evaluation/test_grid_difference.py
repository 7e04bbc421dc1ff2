"""A grid beside another: differences by hand, none with itself, and other models refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from hsa.errors import InputError
from hsa.evaluation.grid_difference import grid_difference
from hsa.evaluation.head_grid import HeadGrid
from hsa.evaluation.scores import SCORES
from hsa.figures.grid_difference import grid_difference_figure
from tests.figures.test_head_grid_figures import small_grid


def other_grid(grid: HeadGrid) -> HeadGrid:
    error = grid.error.clone()
    error[1, 2] += 0.25
    return replace(grid, error=error)


@pytest.mark.parametrize("name", list(SCORES))
def test_a_grid_does_not_differ_from_itself(name: str) -> None:
    grid = small_grid()
    found = grid_difference(grid, grid, SCORES[name])
    assert found.largest == 0
    assert torch.equal(found.difference.isnan(), SCORES[name].of(grid).isnan())


def test_one_head_that_changed_is_found_and_drawn() -> None:
    grid = small_grid()
    found = grid_difference(grid, other_grid(grid), SCORES["error"])
    assert found.most_changed() == (1, 2)
    assert float(found.difference[1, 2]) == pytest.approx(-0.25)
    assert found.mean == pytest.approx(-0.25 / grid.error.numel())
    figure = grid_difference_figure(found, (1, 2))
    heatmap, markers = figure.data
    assert (heatmap.zmin, heatmap.zmax) == (pytest.approx(-0.25), pytest.approx(0.25))
    assert "difference: -25.0 points" in markers.text[grid.heads + 2]


def test_grids_of_other_heads_are_refused() -> None:
    grid = small_grid()
    fewer = replace(grid, error=grid.error[:, 1:])
    with pytest.raises(InputError, match="two grids of one model"):
        grid_difference(grid, fewer, SCORES["error"])
