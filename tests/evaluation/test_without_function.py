"""Agreement on two real layers: sentences as meant, and removals of equal mass."""

from __future__ import annotations

import pytest
import torch

from hsa.errors import InputError
from hsa.evaluation.number_agreement import agreement_cases, margins, verb_tokens
from hsa.evaluation.without_function import strongest, without_function
from hsa.field.model_field import ModelField
from hsa.field.shipped import shipped_field
from hsa.models.loaded import LoadedModel
from hsa.models.loading import load
from hsa.specialization.findings import ALL, Findings
from tests.first_layers import field_of_first, first_layers

BEFORE = "The harbour lay quiet in the morning, and nobody had yet come down to the boats."


@pytest.fixture(scope="module")
def model() -> tuple[LoadedModel, ModelField]:
    whole = load("smollm2")
    cut = first_layers(whole, 2)
    return cut, field_of_first(shipped_field("smollm2", whole.fingerprint), cut)


def findings_of(field: ModelField, function: str) -> Findings:
    """Every third Phrase of layer 1, key/value head 0, claimed for query head 1."""
    head = field.heads[1][0]
    ids = head.splat_id[head.rows(2)][::3]
    count = len(ids)
    place = [one.name for one in ALL].index(function)
    figures = torch.rand(count, 9, generator=torch.Generator().manual_seed(0))

    def filled(value: int) -> torch.Tensor:
        return torch.full((count,), value)

    return Findings(
        model="smollm2", field="", corpus=(), tokens=0, parsed=True, notes=(), layers=(1,), group=3,
        tests=1, layer=filled(1), head=filled(1), splat_id=ids, level=filled(2),
        function=filled(place), figures=figures,
    )  # fmt: skip


def test_sentences_and_verbs_are_what_they_should_be(model) -> None:
    loaded, _ = model
    cases = agreement_cases(loaded, BEFORE, 8)
    texts = ["".join(case.tokens.strings) for case in cases]
    assert [case.plural for case in cases] == [False, True] * 4
    assert texts[0].endswith("\n\nThe key near the teachers")
    assert texts[1].endswith("\n\nThe keys near the teacher")
    for case, word in zip(cases[:2], ("key", "keys"), strict=True):
        assert "".join(case.tokens.strings[at] for at in case.subject).strip() == word
    singular, plural = verb_tokens(loaded)
    assert len(set(singular) | set(plural)) == 6
    both = margins(loaded, cases[:2])
    assert both.shape == (2,) and bool(both.isfinite().all())


def test_the_function_and_random_splats_of_equal_mass(model) -> None:
    loaded, field = model
    found = findings_of(field, "before_verb")
    cases = agreement_cases(loaded, BEFORE, 4)
    told = without_function(loaded, field, found, ["before_verb"], cases, 200, draws=3, seed=0)
    assert told.whole.splats == 0 and told.whole.mass == 0
    assert told.without.splats == 200 and 0 < told.without.mass < 1
    assert told.without.margin != told.whole.margin
    for draw in told.draws:
        assert draw.splats > 0
        # One head of a short text: what is drawn comes in lumps.
        assert draw.mass == pytest.approx(told.without.mass, rel=0.5)
    assert 0 < told.p <= 1
    again = without_function(loaded, field, found, ["before_verb"], cases, 200, draws=3, seed=0)
    assert again == told


def test_a_function_that_nothing_serves_is_refused(model) -> None:
    _, field = model
    with pytest.raises(InputError, match="No splat is known"):
        strongest(findings_of(field, "comma"), ["date"], 5)
