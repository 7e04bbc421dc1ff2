"""One splat in two cases: nothing differs with itself, sums are those of the portraits."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from hsa.attention.reference import attend
from hsa.attention.spending import Spending
from hsa.attention.views import into_layer
from hsa.errors import InputError
from hsa.evaluation.paired_portrait import paired_portrait
from hsa.figures.paired_profiles import paired_profile_figure
from hsa.figures.paired_tables import paired_table, paired_tokens_table
from hsa.specialization.portrait import Portrait, portrait
from tests.attention.random_layers import random_layer


def portrait_in(tokens: int, word: str, splat_id: int = 0) -> Portrait:
    """One field, texts of different length: the layers are seeded alike."""
    given, _ = random_layer(12, tokens)
    _, field = random_layer(12, 90)
    result = attend(given, field, Spending(torch.tensor((4, 8, 14, 20))))
    strings = [f"{word}{at % 5}" for at in range(tokens)]
    return portrait(result, into_layer(given, field), strings, 2, splat_id)


def test_a_splat_does_not_differ_from_itself() -> None:
    seen = portrait_in(90, "w")
    found = paired_portrait(seen, seen)
    assert all(of.difference == 0 or math.isnan(of.case) for of in found.numbers)
    assert set(paired_table(found.numbers)["difference"]) <= {"0", "–"}
    assert torch.equal(found.positions.case_hsa, found.positions.reference_hsa)
    assert torch.equal(found.positions.edges, seen.position_profile.edges)
    torch.testing.assert_close(found.positions.case_standard, seen.position_profile.standard)
    assert found.same_level and all(of.case_count == of.reference_count for of in found.tokens)


def test_two_texts_of_one_field_add_up_in_shared_bins() -> None:
    case, other = portrait_in(40, "w"), portrait_in(90, "w")
    found = paired_portrait(case, other)
    numbers = {of.title: of for of in found.numbers}
    assert numbers["Tokens held"].difference == len(case.positions) - len(other.positions)
    assert numbers["Mass, HSA"].difference == case.mass_hsa - other.mass_hsa
    states = [of for of in found.numbers if of.title.startswith("Queries: ")]
    assert sum(of.case for of in states) == pytest.approx(1)
    assert sum(of.reference for of in states) == pytest.approx(1)
    for profile in (found.positions, found.distances):
        assert float(profile.case_hsa.sum()) == pytest.approx(case.mass_hsa)
        assert float(profile.reference_standard.sum()) == pytest.approx(other.mass_standard)
        assert len(profile.case_hsa) == len(profile.reference_hsa) == len(profile.edges) - 1
    assert sum(of.case_count for of in found.tokens) == len(case.positions)
    table = paired_tokens_table(found.tokens)
    assert table["reference_received"].sum() == pytest.approx(other.mass_standard)
    figure = paired_profile_figure(found.distances, "distance")
    assert [len(trace.y) for trace in figure.data] == 4 * [len(found.distances.edges) - 1]


def test_another_splat_is_refused_and_another_level_told() -> None:
    seen = portrait_in(40, "w")
    with pytest.raises(InputError, match="one layer and one id"):
        paired_portrait(seen, portrait_in(40, "w", splat_id=1))
    assert not paired_portrait(seen, replace(seen, level="Phrase")).same_level
