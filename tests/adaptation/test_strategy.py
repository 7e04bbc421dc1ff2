"""A layer under adaptation: nothing gets worse on what it is judged on, nothing empties."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hsa.activations import Activations
from hsa.adaptation.lineage import checksum
from hsa.adaptation.settings import AdaptationSettings
from hsa.adaptation.strategy import LayerAdaptation
from hsa.attention.spending import Spending
from hsa.errors import InputError
from hsa.hyperparameter import bounds

from .random_heads import random_field, random_text
from .test_log import SETTINGS, adaptation


def counts(layer: LayerAdaptation) -> list[list[int]]:
    return [[int((f.level == at).sum()) for at in range(3)] for f in layer.fields]


def test_accepted_edits_never_raise_the_objective_on_the_held_texts() -> None:
    layer = adaptation()
    tried = accepted = 0
    for number in range(10):
        for step in layer.read(random_text(number)):
            for trial in step.trials:
                tried += 1
                accepted += trial.accepted
                assert trial.accepted == (trial.objective[1] <= trial.objective[0])
    assert 0 < accepted < tried


def test_the_field_of_the_beginning_is_judged_beside_the_present_one() -> None:
    layer = adaptation()
    assert layer.on_held() == []
    layer.read(random_text(0))
    assert all(before == now for before, now in layer.on_held())
    for number in range(1, 10):
        layer.read(random_text(number))
    assert all(before != now for before, now in layer.on_held())
    layer.states = adaptation().states
    assert all(before == now for before, now in layer.on_held())


def test_what_is_rolled_back_leaves_the_field_as_it_was() -> None:
    layer = adaptation()
    for number in range(8):
        before = [checksum(field) for field in layer.fields]
        steps = layer.read(random_text(number))
        for group, step in enumerate(steps):
            if not any(trial.accepted for trial in step.trials):
                assert checksum(layer.fields[group]) == before[group]


def test_kept_texts_bound_what_is_forgotten() -> None:
    layer = adaptation(replace(SETTINGS, forgetting=0.0))
    layer.keep(random_text(100))
    for number in range(8):
        steps = layer.read(random_text(number))
        kept = layer.buffer.on_kept_before({})
        for group, step in enumerate(steps):
            for trial in step.trials:
                if trial.accepted:
                    assert trial.kept_error is not None
                    before, after = trial.kept_error
                    assert after <= max(kept[group][0], before) + 1e-9


@pytest.mark.parametrize("rehearsal", [0.0, 0.3, 0.9])
def test_keys_of_kept_texts_are_among_those_that_splats_follow(rehearsal: float) -> None:
    layer = adaptation(replace(SETTINGS, keys_kept=256, rehearsal=rehearsal))
    for number in range(3):
        layer.keep(random_text(100 + number))
    for number in range(5):
        layer.read(random_text(number))
    for state in layer.states:
        kept, read, both = state.kept_keys, state.keys, state.all_keys()
        assert kept.x.shape[0] == round(rehearsal * 256)
        assert both.x.shape[0] == 256
        assert torch.equal(both.x[: read.x.shape[0]], read.x)
        assert kept.seen > 3 * 150


def test_a_rule_that_is_off_never_fires() -> None:
    layer = adaptation(replace(SETTINGS, rules=("merge", "drift")))
    for number in range(6):
        for step in layer.read(random_text(number)):
            kinds = {edit.kind for trial in step.trials for edit in trial.edits()}
            assert kinds <= {"merge", "drift"}


def test_heads_that_were_not_chosen_stay() -> None:
    fields = [random_field(1), random_field(2)]
    weights = torch.full((2, 2, 3), 0.5)
    layer = LayerAdaptation(
        fields, weights, weights, lambda tokens: Spending(torch.full((4,), 20)), SETTINGS, 3, [1]
    )
    for number in range(6):
        assert len(layer.read(random_text(number))) == 1
    assert checksum(layer.fields[0]) == checksum(fields[0])
    assert checksum(layer.fields[1]) != checksum(fields[1])


def test_a_field_is_pruned_to_its_cap() -> None:
    layer = adaptation(replace(SETTINGS, pruned_to=0.5, horizon=8, pruning_loss=0.2))
    start = counts(layer)
    for number in range(14):
        layer.read(random_text(number))
    for now, was in zip(counts(layer), start, strict=True):
        assert now[2] < was[2] and now[2] >= round(0.5 * was[2])


def adversarial(kind: str, number: int) -> Activations:
    """Texts that pull a field apart: all keys alike, one far away, one text for ever, noise."""
    text = random_text(7 if kind == "the same text" else number)
    if kind == "all keys alike":
        return replace(text, k=text.k[:, :1].expand_as(text.k).contiguous())
    if kind == "far away":
        return replace(text, k=text.k + 50.0 * (number % 2))
    if kind == "huge":
        return replace(text, q=30 * text.q, k=30 * text.k, v=1e4 * text.v)
    return text


@pytest.mark.parametrize("kind", ["all keys alike", "far away", "the same text", "huge", "noise"])
def test_no_text_can_empty_a_level_or_blow_the_field_up(kind: str) -> None:
    eager = replace(SETTINGS, merge_cost=100.0, merge_rate=0.1, death_rate=0.1, death_share=10.0)
    layer = adaptation(eager)
    start = counts(layer)
    for number in range(14):
        layer.read(adversarial(kind, number))
        for now, was, field in zip(counts(layer), start, layer.fields, strict=True):
            for level in range(3):
                assert max(2, round(0.9 * was[level])) <= now[level] <= was[level]
            assert bool(field.position.isfinite().all() and field.log_spread.isfinite().all())
            held = torch.bincount(field.parent.clamp_min(0), field.parent >= 0, field.splats)
            assert bool((held[field.level < 2] > 0).all())


def test_a_text_read_both_ways_is_learned_from() -> None:
    layer = adaptation()
    for number in range(6):
        layer.read(random_text(number, tokens=96, causal=False))
    assert layer.events > 0


@given(data=st.data())
@settings(max_examples=12, deadline=None)
def test_settings_at_either_end_of_their_bounds_run(data: st.DataObject) -> None:
    changed = {}
    for name, allowed in bounds(AdaptationSettings).items():
        kind = type(getattr(SETTINGS, name))
        if name not in ("keys_kept", "held_texts", "every_texts", "every_tokens"):
            end = data.draw(st.sampled_from([None, allowed.low, allowed.high]))
            changed |= {} if end is None else {name: kind(end)}
    chosen = replace(SETTINGS, **changed)
    layer = adaptation(chosen)
    for number in range(4):
        layer.read(random_text(number))
    for field in layer.fields:
        assert bool(field.position.isfinite().all())


def test_settings_out_of_bounds_are_refused() -> None:
    with pytest.raises(InputError, match="hold every"):
        AdaptationSettings(hold_every=1)
    with pytest.raises(InputError, match="rule"):
        AdaptationSettings(rules=("fission",))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="schedule"):
        AdaptationSettings(schedule="linear")
