"""Agreement of rows by hand, and a head's comparison against the plain definitions."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hsa.attention import exact
from hsa.attention.effective import cut_rows, effective_weights
from hsa.attention.reference import attend
from hsa.attention.spending import Spending
from hsa.attention.views import into_layer
from hsa.evaluation.agreement import HeadComparison, compare_head, heaviest, row_agreement
from hsa.evaluation.head_grid import layer_scores
from tests.attention.random_layers import random_layer

TOKENS = 90


def seen(*shape: int) -> torch.Tensor:
    return torch.ones(*shape, dtype=torch.bool)


def test_two_rows_by_hand() -> None:
    standard = torch.tensor([[0.5, 0.25, 0.25, 0.0]])
    given = torch.tensor([[0.25, 0.75, 0.0, 0.0]])
    agreement = row_agreement(given, standard, seen(1, 4), k=2)
    assert agreement.total_variation.item() == pytest.approx(0.5)
    wanted = 0.25 * math.log(0.25 / 0.5) + 0.75 * math.log(0.75 / 0.25)
    assert agreement.kl_nats.item() == pytest.approx(wanted)
    # Standard's two: key 0, and key 1 before its equal, key 2. The method's: 1 and 0.
    assert agreement.top_overlap.item() == 1


def test_negative_weights_count_where_they_are_used_and_not_in_the_logarithm() -> None:
    standard = torch.tensor([[0.5, 0.3, 0.2]])
    tilted = torch.tensor([[0.9, 0.3, -0.2]])
    untilted = torch.tensor([[0.7, 0.15, 0.15]])
    agreement = row_agreement(tilted, standard, seen(1, 3), untilted, k=3)
    assert agreement.total_variation.item() == pytest.approx(0.4)
    kl = row_agreement(untilted, standard, seen(1, 3)).kl_nats
    assert agreement.kl_nats.item() == pytest.approx(kl.item()) and kl > 0
    assert agreement.top_overlap.item() == pytest.approx(2 / 3)


def test_dropped_keys_are_no_hits_and_few_keys_are_enough() -> None:
    standard = torch.full((1, 5), 0.2)
    one = torch.tensor([[0.0, 0.0, 1.0, 0.0, 0.0]])
    assert row_agreement(one, standard, seen(1, 5)).top_overlap.item() == pytest.approx(1 / 5)
    two_seen = torch.tensor([[True, True, False, False, False]])
    both = torch.tensor([[0.4, 0.6, 0.0, 0.0, 0.0]])
    assert row_agreement(both, both, two_seen).top_overlap.item() == 1


@given(st.lists(st.sampled_from([-0.1, 0.0, 0.1, 0.2, 0.3]), min_size=1, max_size=12))
@settings(max_examples=200, deadline=None)
def test_the_heaviest_are_those_of_a_stable_sort(row: list[float]) -> None:
    for k in (1, 3, 10):
        order = sorted(range(len(row)), key=lambda at: -row[at])
        wanted = {at for at in order[:k] if row[at] > 0}
        found = heaviest(torch.tensor([row]), seen(1, len(row)), k)[0]
        assert set(found.nonzero().flatten().tolist()) == wanted


@given(st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_laws(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    a, b = (3 * torch.randn(2, 4, 30, generator=generator)).softmax(-1)
    agreement = row_agreement(a, b, seen(4, 30))
    same = row_agreement(a, a, seen(4, 30))
    assert (agreement.kl_nats >= 0).all() and (agreement.total_variation <= 1).all()
    # Pinsker's inequality ties the two together.
    assert (agreement.total_variation <= (agreement.kl_nats / 2).sqrt() + 1e-6).all()
    assert (same.kl_nats == 0).all() and (same.total_variation == 0).all()
    assert (same.top_overlap == 1).all()


def compared(causal: bool, reads: int, head: int = 2) -> tuple[HeadComparison, dict]:
    special = () if causal else (0, TOKENS - 1)
    activations, field = random_layer(3, TOKENS, 2, 2, causal=causal, special=special)
    spending = Spending(torch.full((4,), reads))
    result = attend(activations, field, spending)
    layer = into_layer(activations, field)
    beside = {
        "activations": activations, "field": field, "spending": spending, "result": result,
        "layer": layer,
    }  # fmt: skip
    return compare_head(result, layer, head), beside


@pytest.mark.parametrize("causal", [True, False])
def test_a_comparison_is_both_engines_results(causal: bool) -> None:
    both, given = compared(causal, reads=8)
    standard = exact.weights(given["activations"])
    torch.testing.assert_close(both.standard, standard[2], atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(
        both.standard_output, exact.output(given["activations"], standard)[2], atol=1e-5, rtol=1e-4
    )
    effective = effective_weights(given["result"], given["layer"], [2])[0]
    torch.testing.assert_close(both.hsa, effective)
    assert torch.equal(both.hsa_output, given["result"].output[2])
    assert both.closed.any() and not both.equal()

    scores = layer_scores(given["activations"], given["field"], given["spending"], range(TOKENS))
    assert both.error == pytest.approx(float(scores.error[2]), rel=1e-4)
    assert both.opened_only_error == pytest.approx(float(scores.opened_only_error[2]), rel=1e-4)
    assert float(both.reads.float().mean()) == pytest.approx(float(scores.reads[2]))
    assert float(both.near_keys.float().mean()) == pytest.approx(scores.near_keys)
    assert float(both.visible_keys.float().mean()) == pytest.approx(scores.visible_keys)


def test_agreement_and_negative_mass_are_those_of_the_rows() -> None:
    both, given = compared(causal=True, reads=8)
    variation = 0.5 * (both.hsa - both.standard).abs().sum(1)
    torch.testing.assert_close(both.agreement.total_variation, variation, atol=1e-6, rtol=1e-4)
    torch.testing.assert_close(
        both.negative_mass.float(), -both.hsa.clamp_max(0).sum(1), atol=1e-6, rtol=1e-4
    )
    assert both.negative_mass.max() > 0
    for cut in cut_rows(given["result"], given["layer"], 2):
        opened = cut.logits.masked_fill(~cut.read, -torch.inf).softmax(1)
        wanted = 0.5 * (opened - both.standard[cut.place]).abs().sum(1)
        torch.testing.assert_close(
            both.opened_only.total_variation[cut.place].double(), wanted, atol=1e-6, rtol=1e-4
        )


def test_reads_enough_are_standard_attention() -> None:
    both, _ = compared(causal=True, reads=1000)
    assert both.equal() and not both.closed.any()
    assert both.error < 1e-6 and both.agreement.top_overlap.min() == 1
    assert both.agreement.kl_nats.max() < 1e-6


def test_some_queries_in_any_order() -> None:
    both, given = compared(causal=True, reads=8)
    asked = [70, 5, 33]
    some = compare_head(given["result"], given["layer"], 2, asked)
    assert some.queries.tolist() == asked
    assert torch.equal(some.hsa, both.hsa[asked])
    assert torch.equal(some.hsa_output, both.hsa_output[asked])


def test_maps_by_weight_and_by_contribution() -> None:
    both, given = compared(causal=True, reads=8)
    standard, hsa, difference = both.maps("weight")
    assert torch.equal(difference, hsa - standard)
    norm = given["layer"].v[1].norm(dim=1)
    standard, hsa, difference = both.maps("contribution", slice(10, 20))
    torch.testing.assert_close(hsa, both.hsa[:, 10:20].abs() * norm[10:20])
    assert (hsa >= 0).all() and (both.hsa < 0).any()
    assert torch.equal(difference, hsa - standard)


def test_the_worst_row_and_its_largest_difference() -> None:
    both, _ = compared(causal=True, reads=8)
    worst = both.worst_row()
    apart = (both.hsa - both.standard).abs()
    assert apart[worst].sum() == pytest.approx(float(apart.sum(1).max()))
    assert apart[worst, both.largest_difference(worst)] == apart[worst].max()
