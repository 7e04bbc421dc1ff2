"""What an edit may not change: mass, mean and variance, the hierarchy, other splats' routing."""

from __future__ import annotations

from itertools import count

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hsa.adaptation.birth import births
from hsa.adaptation.death import deaths
from hsa.adaptation.drift import LEAST_PULL, MOST, adoptions, drifts, pull
from hsa.adaptation.edit import Edit, Head, apply_edits
from hsa.adaptation.keys import cloud
from hsa.adaptation.merge import blended_share, merges, runnalls, siblings, together
from hsa.adaptation.mitosis import divided, mitoses
from hsa.adaptation.moves import PLACE_STEP, SHARE_STEP, WIDTH_STEP
from hsa.adaptation.splats import PLACE_STEPS, SPREAD_STEP, no_splats
from hsa.errors import FieldError
from hsa.field.layer_field import stack
from hsa.field.routing import route
from hsa.field.splat_field import PHRASE, SplatField

from .random_heads import DIM, random_head, random_keys

SEEDS = st.integers(0, 10_000)
FEW = settings(max_examples=25, deadline=None)


def all_free(head: Head) -> torch.Tensor:
    return torch.ones(head.field.splats, dtype=torch.bool)


def level_mass(field: SplatField, level: int) -> float:
    return float(field.log_amplitude[field.rows(level)].double().exp().sum())


def moments_of_level(field: SplatField, level: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and variance of the mixture that a level's splats are."""
    rows = field.rows(level)
    share = field.log_amplitude[rows].double().exp().unsqueeze(1)
    share = share / share.sum()
    position, variance = field.position[rows].double(), field.log_spread[rows].double().exp()
    mean = (share * position).sum(0)
    return mean, (share * (variance + (position - mean) ** 2)).sum(0)


def edits_of(head: Head, seed: int, kind: str, level: int = PHRASE) -> list[Edit]:
    keys = random_keys(seed)
    known, new_id = cloud(head.field, keys), count(head.next_id)
    if kind == "birth":
        return births(head, keys, known, 0.01, 3, new_id, torch.Generator().manual_seed(seed))
    if kind == "mitosis":
        return mitoses(head, keys, known, level, 0.0, 3, all_free(head), new_id)
    if kind == "merge":
        return merges(head, known, level, 1e9, 3, all_free(head), new_id)
    if kind == "death":
        return deaths(head, level, 1e9, 3, all_free(head), patience=0)
    return drifts(head, known, level, 0.5, 0.5) + adoptions(head, PHRASE, 5)


KINDS = ("birth", "mitosis", "merge", "death", "drift")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("level", [0, 1, 2])
@given(seed=SEEDS)
@FEW
def test_prior_shares_and_hierarchy_stay_whole(kind: str, level: int, seed: int) -> None:
    head = random_head(seed)
    edits = edits_of(head, seed, kind, level)
    if kind == "drift":  # Its two halves touch the same splats, one after the other.
        after = apply_edits(apply_edits(head, edits[:1]), edits[1:])
    else:
        after = apply_edits(head, edits)
    for at in range(3):
        assert level_mass(after.field, at) == pytest.approx(1.0, abs=2e-5)
        assert bool((after.field.level == at).any())
    ids = after.field.splat_id.tolist()
    assert len(set(ids)) == len(ids) and after.next_id > max(ids)
    parents = set(after.field.parent[after.field.parent >= 0].tolist())
    upper = (after.field.level < PHRASE).nonzero().squeeze(1).tolist()
    if kind in ("merge", "mitosis", "drift", "death"):
        assert set(upper) <= parents, "a Document or Section was left without children"
    assert after.evidence.keys.shape == (after.field.splats,)
    born_or_kept = {splat for edit in edits for splat in edit.put.splat_id.tolist()}
    assert born_or_kept.isdisjoint(head.field.splat_id.tolist()), "an id was given twice"


@given(seed=SEEDS)
@FEW
def test_a_division_keeps_mass_mean_and_variance(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    position = torch.randn(DIM, generator=generator)
    variance = torch.rand(DIM, generator=generator) * 4 + 1e-3
    axis = torch.nn.functional.normalize(torch.randn(DIM, generator=generator), dim=0)
    halves, left = divided(position, variance, axis)
    assert bool((left > 0).all())
    torch.testing.assert_close(halves.mean(0), position, atol=1e-5, rtol=1e-5)
    whole = left + (halves - position).square().mean(0)
    torch.testing.assert_close(whole, variance, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", ["mitosis", "merge"])
@given(seed=SEEDS)
@FEW
def test_mean_and_variance_of_a_level_stay(kind: str, seed: int) -> None:
    head = random_head(seed)
    edits = edits_of(head, seed, kind)
    after = apply_edits(head, edits)
    # What an edit puts is rounded: positions to steps, variances to an eighth of their logarithm.
    steps = [edit.put.step for edit in edits if edit.put.step is not None]
    step = float(torch.cat(steps).max()) if steps else 0.0
    before, now = (moments_of_level(of.field, PHRASE) for of in (head, after))
    torch.testing.assert_close(now[0], before[0], atol=step / 2 + 1e-4, rtol=1e-4)
    torch.testing.assert_close(now[1], before[1], atol=step, rtol=SPREAD_STEP / 2)


@given(seed=SEEDS)
@FEW
def test_merge_undoes_mitosis(seed: int) -> None:
    head = random_head(seed)
    edits = edits_of(head, seed, "mitosis")[:1]
    if not edits:
        return
    after = apply_edits(head, edits)
    rows = after.row_of(edits[0].put.splat_id)
    weight, mean, variance = together(after.field, rows[:1], rows[1:])
    was = int(head.row_of(edits[0].removed)[0])
    torch.testing.assert_close(weight[0], head.field.log_amplitude[was], atol=1e-5, rtol=1e-5)
    step = float(after.field.log_spread[rows].exp().mean(1).sqrt().max()) / PLACE_STEPS
    torch.testing.assert_close(mean[0], head.field.position[was], atol=step, rtol=1e-4)
    whole = head.field.log_spread[was].exp()
    torch.testing.assert_close(variance[0], whole, atol=step, rtol=SPREAD_STEP)


@given(seed=SEEDS)
@FEW
def test_the_cost_of_a_merge_is_never_negative(seed: int) -> None:
    head = random_head(seed)
    first, second = siblings(head.field, PHRASE)
    share = blended_share(head.field, cloud(head.field, random_keys(seed)))
    assert bool((runnalls(head.field, first, second, share) >= -1e-4).all())


@given(seed=SEEDS)
@FEW
def test_the_death_of_an_unused_splat_reroutes_no_key(seed: int) -> None:
    head = random_head(seed)
    zeros = torch.zeros(1, 2, 3)
    x = random_keys(seed, count=64).x.unsqueeze(0)
    before = head.field.splat_id[route(x, stack([head.field], zeros, zeros))[0]]
    edits = edits_of(head, seed, "death")
    used = set(before.tolist())
    unused = [edit for edit in edits if used.isdisjoint(edit.removed)]
    after = apply_edits(head, unused)
    # The mean variance that routing adds to all is that of those left: keep it as it was.
    now = after.field.splat_id[route(x, stack([after.field], zeros, zeros), floor=0.0)[0]]
    plain = head.field.splat_id[route(x, stack([head.field], zeros, zeros), floor=0.0)[0]]
    still = torch.isin(plain, after.field.splat_id)
    assert torch.equal(now[still], plain[still])


def test_edits_that_touch_the_same_splat_are_refused() -> None:
    head = random_head(0)
    edits = edits_of(head, 0, "merge")[:1]
    with pytest.raises(FieldError, match="touched twice"):
        apply_edits(head, [*edits, *edits])


def test_an_edit_of_a_splat_that_is_gone_is_refused() -> None:
    head = random_head(0)
    edit = Edit("death", PHRASE, (999_999,), no_splats(DIM))
    with pytest.raises(FieldError, match="999999"):
        apply_edits(head, [edit])


def test_orphans_are_refused() -> None:
    head = random_head(0)
    section = int(head.field.splat_id[head.field.rows(1)][0])
    with pytest.raises(FieldError, match="without a parent"):
        apply_edits(head, [Edit("death", 1, (section,), no_splats(DIM))])


def test_one_batch_equals_its_edits_one_after_the_other() -> None:
    head = random_head(3)
    edits = edits_of(head, 3, "birth") + edits_of(head, 3, "death")
    at_once = apply_edits(head, edits).field
    one_by_one = head
    for edit in edits:
        one_by_one = apply_edits(one_by_one, [edit])
    for name in ("position", "log_spread", "log_amplitude", "parent", "splat_id"):
        assert torch.equal(getattr(at_once, name), getattr(one_by_one.field, name)), name


@given(seed=SEEDS, rate=st.sampled_from([1.0, 0.5, 0.01]))
@FEW
def test_drift_brings_splats_to_their_keys_and_keeps_the_mass_of_those_that_move(
    seed: int, rate: float
) -> None:
    head, keys = random_head(seed), random_keys(seed)
    known = cloud(head.field, keys)
    edits = drifts(head, known, PHRASE, rate, share=1.0)
    after = apply_edits(head, edits).field
    held = pull(head, known) > LEAST_PULL
    held[: head.field.rows(PHRASE).start] = False
    own = head.field.log_spread[held].exp().mean(1, keepdim=True).sqrt()
    wanted = (known.mean - head.field.position)[held]
    moved = (after.position - head.field.position)[held] / rate
    near = wanted.abs() < 100 * PLACE_STEP * own  # Codes end at 127.
    # The step is kept in half precision.
    slack = PLACE_STEP * own / 2 + 2e-3 * wanted.abs() + 1e-4 / rate
    assert bool(((moved - wanted).abs() <= slack)[near].all())
    for name in ("position", "log_spread", "log_amplitude"):
        assert torch.equal(getattr(after, name)[~held], getattr(head.field, name)[~held])
    for name, step in (("log_spread", WIDTH_STEP), ("log_amplitude", SHARE_STEP)):
        changed = (getattr(after, name) - getattr(head.field, name)).abs().max()
        assert float(changed) <= rate * (2 * MOST + step) + 1e-5
    mass = after.log_amplitude[held].exp().sum()
    torch.testing.assert_close(mass, head.field.log_amplitude[held].exp().sum())


def test_drift_settles() -> None:
    head, keys = random_head(1), random_keys(1)
    for _ in range(30):
        edits = drifts(head, cloud(head.field, keys), PHRASE, rate=1.0, share=1.0)
        codes = [edit.moved.code for edit in edits if edit.moved is not None]
        head = apply_edits(head, edits)
    assert not any(bool(code.any()) for code in codes)
