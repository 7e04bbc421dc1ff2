"""Planted illnesses of a real head are named, and the edits that mend them do no harm."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from hsa.activations import Activations
from hsa.adaptation.held import Probe, probe
from hsa.adaptation.observe import Observation, observe
from hsa.attention.spending import spend
from hsa.errors import InputError
from hsa.field.layer_field import LayerField, stack
from hsa.field.shipped import shipped_field
from hsa.field.splat_field import PHRASE, SplatField
from hsa.fitting.windows import first_tokens
from hsa.models.capture import capture
from hsa.models.loaded import LoadedModel
from hsa.specialization.attempt import attempt
from hsa.specialization.diagnosis import Checkup, DiagnosisSettings, Flag, checkup

TOKENS = 400
QUERIES = torch.arange(100, TOKENS, 20)


@pytest.fixture(scope="module")
def given(smollm2: LoadedModel, reference_texts: list[str]) -> Activations:
    tokens = first_tokens(smollm2.tokenize(reference_texts[0]), TOKENS)
    return capture(smollm2, tokens, [1])[1]


@pytest.fixture(scope="module")
def fields(smollm2: LoadedModel) -> tuple[SplatField, ...]:
    return shipped_field("smollm2", smollm2.fingerprint).heads[1]


def layer_of(smollm2: LoadedModel, heads: tuple[SplatField, ...]) -> LayerField:
    whole = shipped_field("smollm2", smollm2.fingerprint).layer(1)
    return stack(heads, whole.temper, whole.tilt)


def look(
    smollm2: LoadedModel, given: Activations, heads: tuple[SplatField, ...]
) -> tuple[Checkup, LayerField, list[Probe]]:
    field = shipped_field("smollm2", smollm2.fingerprint)
    spending = spend(field, 40, TOKENS)[1]
    layer = layer_of(smollm2, heads)
    seen: list[Observation] = observe(given, heads, layer, spending, QUERIES)
    probes = [probe(given, layer, spending, QUERIES)]
    return checkup(heads[0], [seen[0]], DiagnosisSettings(merge_cost=1e-4)), layer, probes


def flags(found: Checkup, splat_id: int) -> dict[str, Flag]:
    return {flag.kind: flag for flag in found.of_splat(splat_id)}


def test_a_splat_far_from_every_key_is_dead_and_may_leave(smollm2, given, fields) -> None:
    field = fields[0]
    row = int(field.rows(PHRASE).start + 3)
    position, amplitude = field.position.clone(), field.log_amplitude.clone()
    spread = field.log_spread.clone()
    position[row] += 1000.0
    amplitude[row] = -3.0
    # As wide as the mean, which routing adds to all: else its leaving would make others wider.
    rest = torch.arange(field.splats) != row
    rest &= field.level == PHRASE
    share = field.log_amplitude[rest].exp().unsqueeze(1)
    spread[row] = ((share * spread[rest].exp()).sum(0) / share.sum()).log()
    ill = replace(field, position=position, log_amplitude=amplitude, log_spread=spread)
    found, layer, probes = look(smollm2, given, (ill, *fields[1:]))
    flag = flags(found, int(ill.splat_id[row]))["dead"]
    assert flag.action == "retire" and "none of" in flag.reason
    tried = attempt(found, layer, 0, probes, "retire", flag.splat_id)
    assert tried.field.splats == ill.splats - 1
    torch.testing.assert_close(tried.before.error, tried.after.error, rtol=1e-3, atol=1e-5)


def test_twins_are_redundant_and_merging_them_costs_nothing(smollm2, given, fields) -> None:
    healthy, layer, probes = look(smollm2, given, fields)
    busy = int(healthy.known.count[fields[0].rows(PHRASE)].argmax()) + fields[0].rows(PHRASE).start
    field = fields[0]
    twin = {
        name: torch.cat([getattr(field, name), getattr(field, name)[busy : busy + 1]])
        for name in ("position", "log_spread", "level", "parent")
    }
    half = field.log_amplitude.clone()
    half[busy] -= torch.log(torch.tensor(2.0))
    ill = replace(
        field, **twin, log_amplitude=torch.cat([half, half[busy : busy + 1]]),
        splat_id=torch.cat([field.splat_id, torch.tensor([99_999])]),
    )  # fmt: skip
    found, layer, probes = look(smollm2, given, (ill, *fields[1:]))
    flag = flags(found, 99_999)["redundant"]
    assert flag.partner == int(field.splat_id[busy]) and flag.action == "merge"
    tried = attempt(found, layer, 0, probes, "merge", 99_999, flag.partner)
    before, after = tried.error
    assert tried.field.splats == field.splats and after == pytest.approx(before, rel=0.02)


def test_splitting_what_errs_most_is_measured(smollm2, given, fields) -> None:
    found, layer, probes = look(smollm2, given, fields)
    phrases = found.field.rows(PHRASE)
    busy = int(found.known.count[phrases].argmax()) + phrases.start
    tried = attempt(found, layer, 0, probes, "split", int(found.field.splat_id[busy]))
    assert tried.field.splats == found.field.splats + 1
    assert tried.error[1] != tried.error[0] and tried.reads[1] > 0


def test_what_cannot_be_changed_is_refused(smollm2, given, fields) -> None:
    found, layer, probes = look(smollm2, given, fields)
    with pytest.raises(InputError, match="no such splat"):
        attempt(found, layer, 0, probes, "split", 123_456)
    empty = int((found.known.count[found.field.rows(PHRASE)] == 0).nonzero()[0])
    splat = int(found.field.splat_id[found.field.rows(PHRASE).start + empty])
    with pytest.raises(InputError, match="cannot be changed so"):
        attempt(found, layer, 0, probes, "split", splat)
