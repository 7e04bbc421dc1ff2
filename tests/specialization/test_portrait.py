"""Portraits add up: tokens to mass, profiles to mass, states to all queries, errors to evidence."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from hsa.adaptation.observe import observe
from hsa.attention.reference import attend
from hsa.attention.result import HSAResult
from hsa.attention.spending import Spending
from hsa.attention.views import FramedLayer, into_layer
from hsa.errors import FieldError, InputError
from hsa.explanation.pair import explain_pair
from hsa.field.layer_field import stack
from hsa.field.splat_field import LEVELS, SplatField
from hsa.specialization.excerpts import passages
from hsa.specialization.portrait import Portrait, portrait
from hsa.specialization.roster import roster
from tests.attention.random_layers import random_layer

TOKENS = 90
STRINGS = tuple(f"w{at}" for at in range(TOKENS))


def attended(causal: bool = True, reads: tuple[int, ...] = (4, 8, 14, 20)) -> tuple:
    special = () if causal else (0, TOKENS - 1)
    given, field = random_layer(12, TOKENS, causal=causal, special=special)
    return attend(given, field, Spending(torch.tensor(reads))), into_layer(given, field)


def all_portraits(result: HSAResult, layer: FramedLayer, head: int) -> dict[str, list[Portrait]]:
    ids = layer.field.splat_id[head // layer.y.shape[1]].tolist()
    found: dict[str, list[Portrait]] = {level: [] for level in LEVELS}
    for splat_id in ids:
        seen = portrait(result, layer, STRINGS, head, splat_id)
        found[seen.level].append(seen)
    return found


@pytest.mark.parametrize("causal", [True, False])
def test_all_sums_agree_on_every_level(causal: bool) -> None:
    result, layer = attended(causal)
    levels = all_portraits(result, layer, 2)
    for of_level in levels.values():
        for attention in ("standard", "hsa"):
            assert sum(getattr(p, f"mass_{attention}") for p in of_level) == pytest.approx(
                1, abs=1e-6
            )
        held = torch.cat([seen.positions for seen in of_level])
        assert held.sort().values.tolist() == list(range(TOKENS)), "every key in one splat"
        for seen in of_level:
            for attention in ("standard", "hsa"):
                mass = pytest.approx(getattr(seen, f"mass_{attention}"), abs=1e-12)
                assert float(getattr(seen, f"received_{attention}").sum()) == mass
                assert float(getattr(seen, f"given_{attention}").mean()) == mass
                for profile in (seen.position_profile, seen.distance_profile):
                    assert float(getattr(profile, attention).sum()) == mass
            assert int(seen.position_profile.keys.sum()) == len(seen.positions)
            assert float(seen.distance_profile.head.sum()) == pytest.approx(1)
            assert sum(state.queries for state in seen.states) == TOKENS
            assert seen.far_standard <= seen.mass_standard + 1e-12
    parents = {p.splat_id: p for p in levels["Document"]}
    for seen in levels["Section"]:
        assert seen.family.parent is not None
        above = parents[seen.family.parent.splat_id]
        assert set(seen.positions.tolist()) <= set(above.positions.tolist())
        assert seen.splat_id in {child.splat_id for child in above.family.children}
        children = seen.family.children
        assert sum(child.keys for child in children) == len(seen.positions)
        assert sum(child.standard for child in children) == pytest.approx(seen.mass_standard)


def test_far_masses_are_those_of_the_roster() -> None:
    result, layer = attended()
    known = roster(result, layer, 1)
    for level, of_level in enumerate(all_portraits(result, layer, 1).values()):
        for seen in of_level:
            at = known.splat_id.tolist().index(seen.splat_id)
            assert int(known.keys[at]) == len(seen.positions)
            assert float(known.far_mass[at]) == pytest.approx(seen.far_standard, abs=1e-12)
        heaviest = max(of_level, key=lambda seen: seen.far_standard)
        assert known.heaviest(level) == heaviest.splat_id


def test_errors_are_the_evidence_of_adaptation() -> None:
    """One head alone, every query: what `observe` measures for the same splats."""
    given, field = random_layer(12, TOKENS, groups=1, group=1)
    spending = Spending(torch.tensor([9]))
    result, layer = attend(given, field, spending), into_layer(given, field)
    names = ("frame", "position", "log_spread", "log_amplitude", "level", "parent", "splat_id")
    own = SplatField(**{name: getattr(field, name)[0] for name in names})
    (seen,) = observe(given, [own], stack([own], field.temper, field.tilt), spending,
                      torch.arange(TOKENS))  # fmt: skip
    wrong = 0
    for row, splat_id in enumerate(own.splat_id.tolist()):
        mine = portrait(result, layer, STRINGS, 0, splat_id)
        for name in ("error", "mass_error", "value_error"):
            evidence = float(getattr(seen.seen, name)[row])
            assert getattr(mine.error, name) == pytest.approx(evidence, rel=2e-3, abs=1e-7)
        assert mine.error.queries / TOKENS == pytest.approx(float(seen.seen.closed[row]), abs=1e-6)
        assert mine.far_standard == pytest.approx(float(seen.seen.mass[row]), abs=1e-6)
        wrong += mine.error.queries > 0
    assert wrong > 5, "the test saw closed splats"


def test_pairs_are_the_strongest_and_read_as_the_engine_says() -> None:
    result, layer = attended()
    seen = portrait(result, layer, STRINGS, 2, roster(result, layer, 2).heaviest(1))
    weights = [pair.standard for pair in seen.pairs]
    assert weights == sorted(weights, reverse=True)
    assert all(pair.reading != "near" for pair in seen.far_pairs)
    for pair in seen.far_pairs[:5]:
        told = explain_pair(result, layer, STRINGS, 2, pair.query, pair.key)
        assert told.weight == pytest.approx(pair.hsa, abs=1e-12) and told.reading == pair.reading
        assert seen.splat_id in {splat.splat_id for splat in told.path}


def test_a_splat_without_keys_has_a_portrait_and_a_dead_one_none() -> None:
    result, layer = attended()
    known = roster(result, layer, 0)
    empty = known.splat_id[known.keys == 0]
    assert len(empty), "the layer has splats that this text does not use"
    seen = portrait(result, layer, STRINGS, 0, int(empty[0]))
    assert seen.mass_standard == seen.mass_hsa == 0 and not seen.pairs and not len(seen.positions)
    assert [(state.state, state.share) for state in seen.states] == [("no key yet", 1.0)]
    assert seen.family.parent is not None and seen.field_spread > 0
    with pytest.raises(FieldError, match="no such splat"):
        portrait(result, layer, STRINGS, 0, 10_000)
    with pytest.raises(FieldError, match="no such splat"):
        portrait(result, layer, STRINGS, 0, -1)
    some = replace(result, queries=result.queries[:4])
    with pytest.raises(InputError, match="every query"):
        portrait(some, layer, STRINGS, 0, 0)


def test_passages_are_sentences_that_hold_every_token() -> None:
    strings = ["One", "two", ".", "Three", "four", "five", "!", "Six\n", "seven", "eight"]
    strings = [f" {word}" for word in strings]
    assert passages(strings, [1]) == (range(3),)
    assert passages(strings, [4, 8]) == (range(3, 7), range(8, 10))
    assert passages(strings, [2, 3]) == (range(7),), "neighbours are one stretch"
    assert passages(strings, []) == ()
    long = [" word"] * 200
    (only,) = passages(long, [100])
    assert 100 in only and len(only) < 60


@pytest.mark.parametrize("tokens", [1, 2, 3])
def test_texts_of_few_tokens_have_portraits(tokens: int) -> None:
    given, field = random_layer(4, tokens, 1, 1)
    result = attend(given, field, Spending(torch.tensor([3])))
    layer = into_layer(given, field)
    seen = portrait(result, layer, STRINGS[:tokens], 0, roster(result, layer, 0).heaviest(0))
    assert len(seen.positions) >= 1 and seen.error.queries == 0
    for profile in (seen.position_profile, seen.distance_profile):
        assert float(profile.standard.sum()) == pytest.approx(seen.mass_standard)
