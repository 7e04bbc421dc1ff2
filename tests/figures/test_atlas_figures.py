"""Histogram, hierarchy and files of an atlas say what the atlas holds."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from hsa.atlas.atlas import Atlas, AtlasHead, gather
from hsa.atlas.attributes import Attribute, field_attributes
from hsa.atlas.layout import pca_layout
from hsa.figures.atlas import hierarchy_figure, histogram_figure, shown_number, value_of
from hsa.figures.atlas_colours import UNKNOWN, row_colours, stops
from hsa.figures.atlas_files import atlas_csv, atlas_npz
from tests.atlas.small_fields import small_field

HOSTILE = "<b>$x$ %{y}</b>"


@pytest.fixture
def atlas() -> Atlas:
    """Two heads of 30 splats; the second has a function for each of its splats."""
    fields = [small_field(seed=seed) for seed in (0, 1)]
    heads = [
        AtlasHead(3, group, field, pca_layout(field), field_attributes(field))
        for group, field in enumerate(fields)
    ]
    names = ("date", "subject", "date", *[""] * 27)
    function = Attribute("function", "Function", "What it serves.", names)
    heads[1] = replace(heads[1], attributes=(*heads[1].attributes, function))
    return gather(heads)


def test_a_histogram_counts_every_splat_once(atlas: Atlas) -> None:
    stands_out = np.arange(60) < 25
    for name in ("spread", "share", "level", "function", "children"):
        attribute = atlas.attribute(name)
        figure = histogram_figure(attribute, stands_out)
        own, others = (np.sum(bar.y) for bar in figure.data)
        known = (
            attribute.numbers.isfinite().numpy()
            if attribute.numeric
            else np.array([bool(value) for value in attribute.names])
        )
        assert (own, others) == ((known & stands_out).sum(), (known & ~stands_out).sum())
    nothing = replace(atlas.attribute("spread"), values=torch.full((60,), torch.nan))
    assert not len(histogram_figure(nothing, stands_out).data[0].x)
    assert value_of(2.0, atlas.attribute("spread")) == pytest.approx(100)
    assert shown_number(0.25, atlas.attribute("share")) == "25%"


def test_colours_follow_values_and_names(atlas: Atlas) -> None:
    spread = atlas.attribute("spread")
    colours = row_colours(spread)
    low, high = int(spread.numbers.argmin()), int(spread.numbers.argmax())
    assert (colours[low], colours[high]) == (stops(spread)[0], stops(spread)[-1])
    function = row_colours(atlas.attribute("function"))
    assert function[30] == function[32] != function[31] and function[0] == UNKNOWN
    assert atlas.attribute("function").categories() == ("date", "subject")
    assert len(set(row_colours(atlas.attribute("level")))) == 3


@pytest.mark.parametrize("kind", ["icicle", "sunburst"])
def test_the_hierarchy_is_that_of_the_head(atlas: Atlas, kind) -> None:
    rows = atlas.rows(3, 1)
    words = [HOSTILE] * 60
    figure = hierarchy_figure(atlas, rows, atlas.attribute("function"), words, kind, chosen=40)
    (trace,) = figure.data
    assert list(trace.ids) == ["head", *(str(row) for row in range(30, 60))]
    for row, parent in zip(trace.ids[1:], trace.parents[1:], strict=True):
        above = int(atlas.parent[int(row)])
        assert parent == (str(above) if above >= 0 else "head")
    assert sum(trace.values) == pytest.approx(1, abs=1e-5), "the Phrases' prior shares"
    assert trace.marker.line.width[1 + 10] > 1 and "<b>$" not in trace.text[5]


def test_files_hold_what_is_shown(atlas: Atlas) -> None:
    words = ["", HOSTILE, *["x"] * 58]
    table = pd.read_csv(io.BytesIO(atlas_csv(atlas, words, np.array([1, 7, 31]))))
    assert table["id"].tolist() == [1, 7, 1] and table["head"].tolist() == [0, 0, 1]
    assert table["holds"][0] == HOSTILE and table["parent"].isna().tolist() == [True, False, True]
    assert table["spread"][2] == pytest.approx(float(atlas.attribute("spread").numbers[31]))
    arrays = np.load(io.BytesIO(atlas_npz(atlas, [np.zeros((30, 8)), np.ones((30, 8))])))
    assert arrays["place"].shape == (60, 2) and arrays["attribute_function"][30] == "date"
    assert arrays["position_layer3_head1"].min() == 1
