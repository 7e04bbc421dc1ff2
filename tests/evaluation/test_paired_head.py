"""One head in two cases: no difference with itself, sums to zero, and prompts aligned or not."""

from __future__ import annotations

import math

import pytest
import torch

from hsa.attention.reference import attend
from hsa.attention.result import HSAResult
from hsa.attention.spending import Spending
from hsa.attention.views import FramedLayer, into_layer
from hsa.errors import InputError
from hsa.evaluation.agreement import compare_head
from hsa.evaluation.alignment import align, sentence
from hsa.evaluation.head_grid import layer_scores
from hsa.evaluation.paired_head import (
    RowsApart,
    answered_mass,
    paired_numbers,
    paired_weights,
    rows_apart,
)
from hsa.evaluation.paired_row import paired_row
from hsa.explanation.contributors import explain_row
from hsa.figures.paired_row import paired_row_figure, paired_row_table
from tests.attention.random_layers import random_layer

TOKENS, HEAD, QUERY = 90, 2, 70
WORDS = [f"w{at}" for at in range(TOKENS)]


def attended(reads: int, seed: int = 12, tokens: int = TOKENS) -> tuple[HSAResult, FramedLayer]:
    """One text; `seed` chooses the field that it is read through."""
    given, _ = random_layer(12, tokens)
    _, field = random_layer(seed, tokens)
    return attend(given, field, Spending(torch.full((4,), reads))), into_layer(given, field)


def test_what_answers_is_what_the_grid_says() -> None:
    given, field = random_layer(12, TOKENS)
    spending = Spending(torch.full((4,), 8))
    grid = layer_scores(given, field, spending, list(range(TOKENS)))
    result, layer = attended(8)
    for head in range(4):
        mass = answered_mass(result, layer, head)
        torch.testing.assert_close(mass.float(), grid.mass[head], atol=1e-5, rtol=1e-4)
        assert float(mass.sum()) == pytest.approx(1, abs=1e-6)


def test_a_head_does_not_differ_from_itself() -> None:
    result, layer = attended(8)
    compared, mass = compare_head(result, layer, HEAD), answered_mass(result, layer, HEAD)
    numbers = paired_numbers(compared, mass, compared, mass)
    assert all(of.difference == 0 and not math.isnan(of.case) for of in numbers)
    weights = paired_weights(compared, compared, "weight")
    assert not weights.difference.any()
    assert rows_apart(compared, compared) == RowsApart(0, 0)
    explained = explain_row(result, layer, WORDS, HEAD, QUERY)
    row = paired_row(explained, explained)
    assert all(of.difference == 0 for of in row.members)
    assert len(row.members) == len(explained.members)


def test_two_fields_on_one_text_differ_in_hsa_alone_and_rows_sum_to_zero() -> None:
    (one, layer), (other, other_layer) = attended(8), attended(8, seed=3)
    case, reference = compare_head(one, layer, HEAD), compare_head(other, other_layer, HEAD)
    weights = paired_weights(case, reference, "weight", slice(10, 60))
    apart = rows_apart(case, reference)
    assert apart.standard == 0 < apart.hsa
    torch.testing.assert_close(weights.difference, (case.hsa - reference.hsa)[:, 10:60])
    whole = paired_weights(case, reference, "weight").difference
    torch.testing.assert_close(whole.sum(1), torch.zeros(TOKENS), atol=1e-5, rtol=0)
    masses = answered_mass(one, layer, HEAD), answered_mass(other, other_layer, HEAD)
    numbers = paired_numbers(case, masses[0], reference, masses[1])
    answers = [of for of in numbers if of.title.startswith("Mass: ")]
    assert sum(of.difference for of in answers) == pytest.approx(0, abs=1e-6)
    assert any(abs(of.difference) > 1e-3 for of in answers)

    row = paired_row(
        explain_row(one, layer, WORDS, HEAD, QUERY),
        explain_row(other, other_layer, ["x", *WORDS[1:]], HEAD, QUERY),
    )
    assert sum(of.case_weight for of in row.members) == pytest.approx(row.case_total)
    assert sum(of.reference_weight for of in row.members) == pytest.approx(row.reference_total)
    assert sum(of.difference for of in row.members) == pytest.approx(0, abs=1e-5)
    sizes = [abs(of.difference) for of in row.members]
    assert sizes == sorted(sizes, reverse=True)
    first = next(of for of in row.members if (of.level, of.identity) == ("Token", 0))
    assert (first.label, first.reference_label) == ("w0", "x")
    lone = [of for of in row.members if of.reference_standing == "not in the cut"]
    assert lone and all(of.reference_weight == 0 for of in lone)
    assert "0 w0 / x" in set(paired_row_table(row)["member"])
    assert len(paired_row_figure(row).data[0].x) == min(12, len(row.members))


def test_what_cannot_be_paired_is_refused() -> None:
    (one, layer), (other, other_layer) = attended(8), attended(8, tokens=40)
    with pytest.raises(InputError, match="same number of tokens"):
        paired_weights(
            compare_head(one, layer, HEAD), compare_head(other, other_layer, HEAD), "weight"
        )
    with pytest.raises(InputError, match="one query of one layer"):
        paired_row(explain_row(one, layer, WORDS, HEAD, 5), explain_row(one, layer, WORDS, HEAD, 6))


@pytest.mark.parametrize(
    ("ids", "reference", "aligned", "said"),
    [
        ((1, 2, 3, 4), (1, 2, 3, 4), True, "the same tokens"),
        ((1, 2, 3, 4), (1, 9, 3, 4), True, "1 of 4 tokens is not the same (position 1)"),
        ((1, 2, 3, 4), (1, 2, 8, 9), True, "2 of 4 tokens are not the same (position 2, 3)"),
        ((1, 2, 3, 4), (1, 7, 8, 9), False, "more than half"),
        ((1, 2, 3), (1, 2, 3, 4), False, "3 tokens and the reference 4"),
    ],
)
def test_prompts_are_aligned_by_position(
    ids: tuple[int, ...], reference: tuple[int, ...], aligned: bool, said: str
) -> None:
    found = align(ids, reference)
    assert found.aligned is aligned and said in sentence(found)
