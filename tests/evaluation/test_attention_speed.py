"""The baselines are exact attention, and a row says what was measured; nothing on seconds."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest
import torch

from hsa.attention import exact
from hsa.attention.block_plan import BlockPlan
from hsa.errors import HSAError
from hsa.evaluation.attention_speed import (
    PRODUCTS_MOST_TOKENS,
    exact_attentions,
    median_seconds,
    speed_row,
)
from hsa.evaluation.blocked_memory import peak_bytes
from tests.attention.random_layers import random_layer

PLAN = BlockPlan(block=16, splats=14, tokens=24, scored=4, chunk=3)


def test_baselines_are_exact_attention() -> None:
    a, _ = random_layer(7, 700, 2, 3, dim=8)
    ways, skipped = exact_attentions(a)
    assert set(ways) == {"sdpa_gqa", "sdpa_repeated", "products"} and not skipped
    wanted = exact.output(a, exact.weights(a))
    for attention in ways.values():
        torch.testing.assert_close(attention(), wanted, atol=1e-5, rtol=1e-4)


def test_what_is_skipped_says_why() -> None:
    a, _ = random_layer(7, 20, 1, 1)
    row = torch.zeros(1, PRODUCTS_MOST_TOKENS + 1, 6)
    ways, skipped = exact_attentions(replace(a, q=row, k=row, v=row))
    assert set(ways) == {"sdpa_gqa", "sdpa_repeated"}
    assert "slower" in skipped["products"]


def test_every_baseline_is_followed_by_hsa() -> None:
    said: list[str] = []
    runs = {name: lambda name=name: said.append(name) for name in ("a", "b")}
    found, own = median_seconds(runs, lambda: said.append("hsa"), 2)  # type: ignore[arg-type]
    assert said == ["a", "hsa", "b", "hsa"] * 3
    assert set(found) == {"a", "b"} and own >= 0


def test_a_row_is_json_and_agrees_with_itself() -> None:
    a, field = random_layer(7, 300, 2, 3)
    row = speed_row(a, field, PLAN, 1, "shipped")
    table = json.loads(json.dumps(asdict(row)))
    assert set(table) >= {
        "tokens", "sdpa_seconds", "hsa_seconds", "speedup", "error", "window_error",
        "opened_only_error", "reads", "hsa_peak_bytes", "baselines", "field",
    }  # fmt: skip
    assert row.sdpa_seconds == min(row.baselines.values()) == row.baselines[row.baseline]
    assert row.speedup == pytest.approx(row.sdpa_seconds / row.hsa_seconds)
    assert row.reads == pytest.approx(sum(row.reads_parts.values()))
    assert 0 < row.error < min(row.opened_only_error, row.window_error)
    assert (row.tokens, row.field) == (300, "shipped")


def test_peak_memory_holds_at_least_the_outputs_and_far_less_than_all_weights() -> None:
    a, field = random_layer(7, 16384, 2, 3)
    peak = peak_bytes(a, field, replace(PLAN, block=64))
    assert a.q.numel() * 4 < peak < 6 * 16384**2 * 4 / 10


def test_a_failing_measurement_says_so() -> None:
    a, field = random_layer(7, 300, 2, 3)
    with pytest.raises(HSAError, match="Peak memory could not be measured"):
        peak_bytes(replace(a, v=a.v[:, :100]), field, PLAN)
