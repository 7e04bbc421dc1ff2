"""Planted functions are found under their right names; shuffled labels claim nothing."""

from __future__ import annotations

import pytest

from hsa.specialization.trial import planted, shuffled


@pytest.mark.slow
def test_planted_functions_are_found_under_their_right_names(real_keys) -> None:
    _, keys = real_keys
    planted_in_all = right = claims = false = 0
    for function, size in (("subject", 20), ("temporal", 20), ("comma", 20)):
        for purity in (0.6, 0.75, 0.9):
            power = planted(keys, function, purity, size, splats=6, seed=0)
            print(
                f"{function} at {purity:.0%}, {size} keys a half: {power.found} of "
                f"{power.planted} found, {power.right} under the right name"
            )
            assert power.planted >= 2
            assert power.found >= 0.9 * power.planted
            planted_in_all, right = planted_in_all + power.planted, right + power.right
            claims, false = claims + power.claims, false + power.false
    print(f"{right} of {planted_in_all} under the right name")
    assert planted_in_all >= 40 and right >= 0.9 * planted_in_all
    print(f"{false} of {claims} claims false")
    assert claims > 100 and false <= 0.05 * claims


@pytest.mark.slow
def test_labels_shuffled_within_strata_claim_nothing(real_keys) -> None:
    field, keys = real_keys
    runs = [shuffled(field, keys, seed) for seed in range(6)]
    struck = sum(run.with_claims for run in runs)
    families = sum(run.families for run in runs)
    print(f"{struck} of {families} heads with a claim, {sum(r.claims for r in runs)} claims of "
          f"{sum(r.tests for r in runs):,} tests")  # fmt: skip
    assert sum(run.tests for run in runs) > 10_000
    assert struck <= 0.05 * families


def test_a_splat_without_the_function_is_not_said_to_have_it(real_keys) -> None:
    """At a purity of the base rate there is nothing to find."""
    _, keys = real_keys
    power = planted(keys, "subject", 0.07, 40, splats=10, seed=0)
    assert power.found == 0
