"""A field is a proper hierarchy, or it is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from hsa.errors import FieldError
from hsa.field.layer_field import stack
from hsa.field.splat_field import DOCUMENT, PHRASE, SECTION, SplatField


def small_field() -> SplatField:
    """One Document over two Sections over three Phrases."""
    return SplatField(
        frame=torch.eye(2),
        position=torch.arange(12.0).view(6, 2),
        log_spread=torch.zeros(6, 2),
        log_amplitude=torch.zeros(6),
        level=torch.tensor([0, 1, 1, 2, 2, 2]),
        parent=torch.tensor([-1, 0, 0, 1, 1, 2]),
        splat_id=torch.tensor([9, 8, 7, 6, 5, 4]),
    )


def test_rows_and_ancestors() -> None:
    field = small_field()
    found = [(field.rows(level).start, field.rows(level).stop) for level in range(3)]
    assert found == [(0, 1), (1, 3), (3, 6)]
    assert field.ancestors().tolist() == [[0, 1, 3], [0, 1, 4], [0, 2, 5]]
    assert (DOCUMENT, SECTION, PHRASE) == (0, 1, 2) and field.splats == 6


@pytest.mark.parametrize(
    "wrong",
    [
        {"parent": torch.tensor([-1, 0, 0, 1, 1, 0])},  # a Phrase below a Document
        {"parent": torch.tensor([-1, 0, 0, 1, 1, -1])},  # a Phrase without a parent
        {"parent": torch.tensor([0, 0, 0, 1, 1, 2])},  # a Document with one
        {"parent": torch.tensor([-1, 0, 0, 3, 1, 2])},  # a Phrase below a Phrase
        {"level": torch.tensor([0, 1, 2, 1, 2, 2])},  # rows not sorted by level
        {"level": torch.tensor([1, 1, 1, 2, 2, 2])},  # no Document
        {"log_spread": torch.zeros(6, 3)},
        {"log_amplitude": torch.zeros(5)},
        {"splat_id": torch.zeros(7)},
        {"frame": torch.eye(3)},
    ],
)
def test_an_improper_hierarchy_is_refused(wrong: dict[str, Tensor]) -> None:
    changes: dict[str, Any] = dict(wrong)
    with pytest.raises(FieldError, match="not sound"):
        replace(small_field(), **changes)


def test_stacked_heads_keep_their_own_rows() -> None:
    field = small_field()
    fewer = SplatField(
        frame=2 * torch.eye(2),
        position=torch.ones(3, 2),
        log_spread=torch.zeros(3, 2),
        log_amplitude=torch.zeros(3),
        level=torch.tensor([0, 1, 2]),
        parent=torch.tensor([-1, 0, 1]),
        splat_id=torch.tensor([1, 2, 3]),
    )
    temper, tilt = torch.rand(2, 3, 3), torch.rand(2, 3, 3)
    both = stack([field, fewer], temper, tilt)
    assert both.groups == 2
    assert both.level[1].tolist() == [0, 1, 2, -1, -1, -1]
    assert both.splat_id[0].tolist() == field.splat_id.tolist()
    assert both.log_amplitude[1, 3:].eq(-torch.inf).all()
    alone = both.group(1, slice(2, 3))
    assert torch.equal(alone.frame, fewer.frame.unsqueeze(0))
    assert torch.equal(alone.temper, temper[1:2, 2:3])
    assert torch.equal(alone.tilt, tilt[1:2, 2:3])
