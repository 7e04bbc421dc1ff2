"""Figures and files of a grid hold the grid's own numbers."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hsa.evaluation.head_grid import ANSWERED_BY
from hsa.evaluation.scores import SCORES
from hsa.figures.answered_mass import answered_mass_figure
from hsa.figures.head_grid import head_grid_figure, shown
from hsa.figures.head_table import head_csv, head_npz, head_table
from hsa.figures.standalone import standalone_html
from tests.evaluation.test_head_grid import small_grid


@pytest.mark.parametrize("name", SCORES)
def test_cells_hold_the_score_and_markers_their_place(name: str) -> None:
    grid = small_grid()
    figure: Any = head_grid_figure(grid, SCORES[name], chosen=(1, 2))
    heat, markers = figure.data
    np.testing.assert_array_equal(heat.z, SCORES[name].of(grid).numpy())
    places = list(zip(markers.y, markers.x, strict=True))
    assert places == [(layer, head) for layer in range(2) for head in range(6)]
    assert "layer 1, head 2" in markers.text[places.index((1, 2))]
    assert figure.layout.shapes[0].x0 == 1.5


def test_mass_bars_sum_to_one() -> None:
    figure: Any = answered_mass_figure(small_grid(), 1, 2)
    for bars in figure.data:
        assert sum(bars.x) == pytest.approx(1)


def test_files_hold_every_head() -> None:
    grid = small_grid()
    table = head_table(grid)
    assert list(table["layer"]) == [0] * 6 + [1] * 6
    read = pd.read_csv(io.BytesIO(head_csv(grid)))
    np.testing.assert_allclose(read["error"], grid.error.flatten(), rtol=1e-5)
    with np.load(io.BytesIO(head_npz(grid))) as arrays:
        np.testing.assert_array_equal(arrays["mass"], grid.mass)
        assert arrays["mass_axis"].tolist() == list(ANSWERED_BY)


def test_the_page_of_a_figure_needs_nothing_else() -> None:
    page = standalone_html(head_grid_figure(small_grid(), SCORES["error"])).decode()
    assert 'src="http' not in page


def test_a_score_without_meaning_is_a_dash() -> None:
    assert shown(SCORES["induction"], float("nan")) == "–"
    assert shown(SCORES["entropy"], 1.234) == "1.23 nats"
