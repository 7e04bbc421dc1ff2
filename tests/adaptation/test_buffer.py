"""What proposals are judged on: other queries for every event, and of kept texts some drawn."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from hsa.activations import Activations
from hsa.adaptation.buffer import LEAST_ERROR, Buffer
from hsa.adaptation.settings import AdaptationSettings
from hsa.attention.spending import Spending

from .random_heads import random_field, random_text

READS = Spending(torch.tensor([20, 24, 16, 30]))
WEIGHTS = torch.full((2, 2, 3), 0.5)
SETTINGS = AdaptationSettings(held_texts=2, held_queries=8)
OTHERS = {0: random_field(3), 1: random_field(4)}


def buffer(held: int = 0, kept: int = 0, settings: AdaptationSettings = SETTINGS) -> Buffer:
    texts = Buffer([random_field(1), random_field(2)], WEIGHTS, WEIGHTS, settings)
    for number in range(held):
        texts.hold(random_text(number), READS)
    for number in range(kept):
        texts.keep(random_text(100 + number), READS)
    return texts


def event(texts: Buffer, seed: int = 0) -> Buffer:
    texts.ask_anew(torch.Generator().manual_seed(seed))
    return texts


def test_only_the_newest_texts_are_held_and_all_are_kept() -> None:
    texts = buffer(held=5, kept=5)
    assert len(texts.held) == 2 and len(texts.kept) == 5
    assert texts.on_newest(OTHERS) == buffer(held=5).on_newest(OTHERS)
    assert texts.on_newest(OTHERS) != buffer(held=4).on_newest(OTHERS)


def test_every_event_asks_anew_and_the_same_again_for_the_same_seed() -> None:
    texts = buffer(held=2, kept=6)
    objectives, errors = [], []
    for seed in range(4):
        event(texts, seed)
        objectives.append(texts.objective(OTHERS)[0])
        errors.append(texts.on_kept(OTHERS)[0])
    assert len(set(objectives)) == len(set(errors)) == 4
    assert event(texts, 2).on_kept(OTHERS)[0] == errors[2]


def test_what_was_found_before_is_of_this_event() -> None:
    texts = event(buffer(kept=3))
    some = {1: OTHERS[1]}
    before = texts.on_kept_before(some)
    first = texts.on_kept({1: texts.first[1]})
    assert before == {1: (first[1], texts.on_kept(some)[1])}
    assert set(texts.on_kept_before(OTHERS)) == {0, 1}
    assert event(texts, 1).on_kept_before(some) != before


def test_without_texts_nothing_is_said() -> None:
    texts = event(buffer())
    assert texts.on_kept(OTHERS) == texts.on_kept_before(OTHERS) == texts.at_the_ends(OTHERS) == {}


def test_the_objective_counts_shares_and_reads() -> None:
    texts = event(buffer(held=2))
    dear = Buffer(texts.first, WEIGHTS, WEIGHTS, replace(SETTINGS, price=0.01))
    dear.held = texts.held
    for group, objective in texts.objective(OTHERS).items():
        assert dear.objective(OTHERS)[group] > objective + 0.1


@pytest.mark.parametrize("scale", [1.0, 0.0])
def test_an_error_of_almost_nothing_is_nothing_to_gain(scale: float) -> None:
    def quiet(text: Activations) -> Activations:
        return replace(text, v=scale * text.v + (1 - scale))

    texts = Buffer([random_field(1), random_field(2)], WEIGHTS, WEIGHTS, SETTINGS)
    texts.hold(quiet(random_text(0)), READS)
    objective = event(texts).objective(OTHERS)[0]
    assert objective == pytest.approx(LEAST_ERROR) if scale == 0 else objective > LEAST_ERROR
