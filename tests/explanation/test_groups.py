"""Sums over groups of tokens add up to the row, whatever the groups are."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hsa.attention import exact
from hsa.attention.effective import effective_weights
from hsa.attention.reference import attend
from hsa.attention.spending import Spending
from hsa.attention.views import into_layer
from hsa.explanation.groups import explain_groups, group_sums, groups_of
from tests.attention.random_layers import random_layer

TOKENS = 70


def test_groups_are_numbered_in_reading_order_and_unlabelled_tokens_stand_alone() -> None:
    assert groups_of(torch.tensor([7, 7, -1, 2, -1, 2, 0])).tolist() == [0, 0, 1, 2, 3, 2, 4]
    assert groups_of(torch.tensor([-1, -1])).tolist() == [0, 1]
    assert groups_of(torch.tensor([5])).tolist() == [0]


def test_a_row_by_hand() -> None:
    v = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 2.0]])
    total, norm = group_sums(torch.tensor([0.25, 0.25, 0.5]), v, torch.tensor([0, 0, 1]))
    assert total.tolist() == [0.5, 0.5]
    assert norm.tolist() == [0.0, 1.0], "the first two cancel"


@given(st.lists(st.integers(-1, 6), min_size=TOKENS, max_size=TOKENS), st.integers(0, TOKENS - 1))
@settings(max_examples=25, deadline=None)
def test_sums_add_up_to_the_row_in_both_attentions(labels: list[int], query: int) -> None:
    activations, field = random_layer(3, TOKENS, 2, 2)
    result = attend(activations, field, Spending(torch.full((4,), 7)), torch.tensor([query]))
    layer, group = into_layer(activations, field), groups_of(torch.tensor(labels))
    row = explain_groups(result, layer, 2, query, group)
    for of in (row.standard, row.hsa):  # as far as float32 rows sum to one
        assert float(of.sum()) == pytest.approx(1, abs=1e-5)
    assert int(row.keys.sum()) == query + 1 and (row.keys > 0).all()
    standard = exact.weights(activations, torch.tensor([query]))[2, 0].double()
    hsa = effective_weights(result, layer, [2])[0, 0].double()
    v = layer.v[1].double()
    for place, number in enumerate(row.group.tolist()):
        own = group == number
        assert float(row.standard[place]) == pytest.approx(float(standard[own].sum()), abs=1e-5)
        assert float(row.hsa[place]) == pytest.approx(float(hsa[own].sum()), abs=1e-5)
        wanted = float((hsa[own] @ v[own]).norm())
        assert float(row.hsa_norm[place]) == pytest.approx(wanted, rel=1e-4, abs=1e-5)
