"""Estimates: the counts that follow from shapes, and what a real pass took."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from hsa.errors import InputError
from hsa.memory.needed import (
    BlockedShape,
    ModelShape,
    blocked_bytes,
    cache_bytes,
    check_fits,
    dense_bytes,
    forward_bytes,
    logit_bytes,
    most_that_fits,
    reference_bytes,
)

SMALL = ModelShape(
    layers=3, hidden=32, intermediate=48, query_heads=4, key_value_heads=2, head_dim=8,
    vocabulary=100,
)  # fmt: skip


def test_counts_by_hand() -> None:
    assert logit_bytes(SMALL, 7) == 7 * 100 * 4
    assert cache_bytes(SMALL, 7) == 3 * 2 * 2 * 7 * 8 * 4
    assert cache_bytes(replace(SMALL, number_bytes=2), 7) == 3 * 2 * 2 * 7 * 8 * 2


def test_logits_that_are_not_asked_for_cost_nothing() -> None:
    everything = forward_bytes(SMALL, 50)
    assert everything - forward_bytes(SMALL, 50, logit_rows=1) == logit_bytes(SMALL, 49)


@pytest.mark.parametrize("blocked", [None, BlockedShape(splats=20, block=8)])
def test_every_part_adds_and_grows_with_the_text(blocked: BlockedShape | None) -> None:
    lengths = [forward_bytes(SMALL, tokens, 1, True, blocked) for tokens in (10, 20, 40)]
    assert lengths[0] < lengths[1] < lengths[2]
    assert lengths[1] > forward_bytes(SMALL, 20, 1, False, blocked)
    assert blocked is None or lengths[1] > forward_bytes(SMALL, 20, 1, True)


def test_blocked_hsa_is_linear_and_chunks_cost_memory() -> None:
    plan = BlockedShape(splats=20, block=8)
    at = [blocked_bytes(SMALL, tokens, plan) for tokens in (1000, 2000, 3000)]
    assert at[2] - at[1] == at[1] - at[0]
    assert blocked_bytes(SMALL, 1000, replace(plan, chunk=1)) < at[0]
    assert blocked_bytes(SMALL, 1000, replace(plan, alone=4)) > at[0]


def measured_alone(tokens: int, kind: str) -> dict[str, int]:
    """In a process of its own, where no freed piece of the heap is used again.

    What loading left on the heap would otherwise serve the pass: one time the whole of it, another
    time none (measured: 27 to 50 MB of the same 60).
    """
    alone = {"OMP_NUM_THREADS": "1", "MALLOC_MMAP_THRESHOLD_": "65536"}
    outcome = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("forward_peak.py")), str(tokens), kind],
        capture_output=True, text=True, check=True, env=os.environ | alone,
    )  # fmt: skip
    return json.loads(outcome.stdout.splitlines()[-1])


@pytest.mark.parametrize("tokens", [512])
def test_a_real_pass_takes_what_was_estimated(tokens: int) -> None:
    found = measured_alone(tokens, "logits")
    assert found["measured"] > 0.9 * tokens * 49152 * 4, "the logits alone are that large"
    assert 0.8 <= found["estimate"] / found["measured"] <= 2


def test_blocked_hsa_of_one_layer_takes_what_was_estimated() -> None:
    found = measured_alone(1024, "blocked")
    assert 0.8 <= found["estimate"] / found["measured"] <= 2


def test_what_fits_passes() -> None:
    check_fits(1000, "A text of 5 tokens", "a shorter text", available=1000)
    check_fits(1, "A text of 5 tokens", "a shorter text")


def test_what_does_not_fit_is_refused_with_numbers() -> None:
    with pytest.raises(InputError) as refusal:
        check_fits(2_500_000_000, "A text of 9,000 tokens", "at most 4,000 tokens", 812_000_000)
    said = str(refusal.value)
    assert said.startswith("A text of 9,000 tokens would not fit into memory.")
    assert "an estimate of 2.50 GB" in said
    assert "at most 812.0 MB" in said
    assert said.endswith("Try: at most 4,000 tokens.")


def test_more_than_the_machine_has_is_refused_without_being_told() -> None:
    with pytest.raises(InputError, match="would not fit"):
        check_fits(1 << 60, "A text of any length", "another machine")


def test_the_most_that_fits_is_the_last_that_does() -> None:
    for left in (-1, 0, 10, 11, 500, 989):
        most = most_that_fits(lambda count: 10 * count, 100, left)
        assert most == min(max(left // 10, 0), 99)


def test_the_reference_grows_with_all_that_it_holds() -> None:
    shape = {
        "groups": 1, "heads": 3, "dim": 64, "tokens": 1000, "queries": 500, "nodes": 200,
        "at_once": 64,
    }  # fmt: skip
    least = reference_bytes(**shape)
    for name, value in shape.items():
        assert reference_bytes(**shape | {name: 2 * value}) > least, name
    assert dense_bytes(2048, 4096) == 2 * dense_bytes(2048, 2048)
