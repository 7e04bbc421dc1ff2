"""The members of a row's cut, ranked."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from hsa.attention.effective import cut_rows, effective_weights
from hsa.attention.reference import attend
from hsa.attention.spending import Spending
from hsa.explanation.contributors import (
    closed_levels,
    explain_row,
    negative_mass,
    tilt_switched_off,
)
from tests.explanation.conftest import Case

ROWS = [(0, 89), (0, 40), (1, 70), (2, 55), (3, 88)]


@pytest.mark.parametrize(("head", "query"), ROWS)
def test_members_cover_the_row(case: Case, head: int, query: int) -> None:
    row = explain_row(*case.given, head, query)
    assert sum(member.weight for member in row.members) == pytest.approx(1, abs=1e-5)
    assert row.total == pytest.approx(1, abs=1e-5) and row.row_sum == pytest.approx(1, abs=1e-5)
    visible = query + 1 if case.result.causal else 90
    assert sum(member.keys for member in row.members) == visible
    weights = [member.weight for member in row.members]
    norms = [member.norm for member in row.by_norm()]
    assert weights == sorted(weights, reverse=True) and norms == sorted(norms, reverse=True)
    assert set(row.by_norm()) == set(row.members)
    assert row.output_error < 1e-5
    assert row.query_token == f"w{query}"


@pytest.mark.parametrize(("head", "query"), ROWS)
def test_contributions_are_those_of_the_moments(case: Case, head: int, query: int) -> None:
    """A closed splat's is mass / Z · (v̄ + θ C y), computed here from its keys' moments."""
    result, layer, _ = case.given
    row = explain_row(*case.given, head, query)
    (cut,) = cut_rows(result, layer, head, [query])
    group, member = divmod(head, 2)
    y = layer.y[group, member, query].double()
    x, v = layer.x[group].double(), layer.v[group].double()
    ids = layer.field.splat_id[group]
    dense = effective_weights(result, layer, [head], [query])[0, 0].double()
    checked = 0
    for contributor in row.members:
        if contributor.kind != "splat":
            key = contributor.identity
            assert contributor.level == "Token" and contributor.label == f"w{key}"
            assert contributor.weight == pytest.approx(float(dense[key]), abs=1e-6)
            assert contributor.norm == pytest.approx(float((dense[key] * v[key]).norm()), rel=1e-4)
            assert (contributor.kind == "near") == bool(cut.near[0, key])
            continue
        node = int((ids[cut.row] == contributor.identity).nonzero())
        level = int(cut.level[node])
        assert contributor.level == ("Document", "Section", "Phrase")[level]
        own = cut.far & (cut.key_node[:, level] == node)
        assert contributor.keys == int(own.sum())
        dx, value = x[own] - x[own].mean(0), v[own].mean(0)
        covariance = (v[own] - value).mT @ dx / contributor.keys
        theta = float(cut.tilt[0, node])
        vector = contributor.weight * (value + theta * covariance @ y)
        assert contributor.norm == pytest.approx(float(vector.norm()), rel=1e-3, abs=1e-6)
        assert contributor.specialisation is None
        checked += 1
    assert checked == int(cut.closed.sum())


def test_near_tokens_are_summed_too(causal_case: Case) -> None:
    row = explain_row(*causal_case.given, 0, 80)
    near = [member for member in row.members if member.kind == "near"]
    assert len(near) == row.near_keys
    assert row.near_weight == pytest.approx(sum(member.weight for member in near))
    assert row.near_norm <= sum(member.norm for member in near) + 1e-9
    keys = [member.identity for member in near]
    v = causal_case.layer.v[0, keys].double()
    summed = torch.tensor([member.weight for member in near], dtype=torch.float64) @ v
    assert row.near_norm == pytest.approx(float(summed.norm()), rel=1e-5)


def test_negative_mass_is_that_of_the_weights(causal_case: Case) -> None:
    most = 0.0
    dense = effective_weights(causal_case.result, causal_case.layer).double()
    for head in range(4):
        for cut in cut_rows(causal_case.result, causal_case.layer, head):
            wanted = -dense[head, cut.queries].clamp_max(0).sum(1)
            assert torch.allclose(negative_mass(cut), wanted, atol=1e-6)
            most = max(most, float(wanted.max()))
        row = explain_row(*causal_case.given, head, 80)
        parts = sum(member.negative for member in row.members)
        assert row.negative_mass == pytest.approx(parts, abs=1e-12)
    assert 0.001 < most <= 0.02 + 1e-6


def test_rows_say_when_their_tilt_was_switched_off(causal_case: Case) -> None:
    """Beyond 0.02 of negative mass: found here by asking what the tilt would have done."""
    layer = causal_case.layer
    off = on = 0
    for head in range(4):
        group, member = divmod(head, 2)
        for cut in cut_rows(causal_case.result, layer, head):
            y = layer.y[group, member, cut.queries].double()
            for row in range(cut.queries.numel()):
                factor = torch.ones(90, dtype=torch.float64)
                for node in cut.closed[row].nonzero().flatten().tolist():
                    level = int(cut.level[node])
                    own = cut.far & (cut.key_node[:, level] == node)
                    x = layer.x[group, own].double()
                    along = (x - x.mean(0)) @ y[row]
                    spread = float((y[row].square() * x.var(0, correction=0)).sum())
                    theta = float(layer.field.tilt[group, member, level]) / (1 + 0.1 * spread)
                    factor[own] = 1 + theta * along
                share = (cut.log_token_mass()[row] - cut.log_z[row]).exp()
                meant = float(-(share * factor).clamp_max(0).sum())
                if abs(meant - 0.02) > 1e-4 and cut.closed[row].any():
                    assert bool(tilt_switched_off(cut, layer)[row]) == (meant > 0.02)
                    off, on = off + (meant > 0.02), on + (meant <= 0.02)
    assert off > 10 and on > 10
    flags = [explain_row(*causal_case.given, 0, query).tilt_switched_off for query in range(90)]
    cuts = list(cut_rows(causal_case.result, layer, 0))
    assert flags == torch.cat([tilt_switched_off(cut, layer) for cut in cuts]).tolist()


def test_without_a_tilt_nothing_is_negative_or_switched_off(causal_case: Case) -> None:
    layer = causal_case.layer
    flat = replace(layer.field, tilt=torch.zeros_like(layer.field.tilt))
    result = attend(layer.activations, flat, Spending(torch.full((4,), 6)))
    row = explain_row(result, replace(layer, field=flat), causal_case.strings, 2, 80)
    assert row.negative_mass == 0 and not row.tilt_switched_off
    assert any(member.kind == "splat" for member in row.members)


def test_all_levels_are_closed_somewhere(case: Case) -> None:
    rows = torch.cat(
        [closed_levels(cut) for head in range(4) for cut in cut_rows(case.result, case.layer, head)]
    )
    assert (rows.sum(0) > 20).all()
    assert rows.shape == (4 * 90, 3)
