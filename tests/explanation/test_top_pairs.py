"""The pairs that attend most."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from hsa.attention.effective import effective_weights
from hsa.explanation.top_pairs import top_pairs
from tests.explanation.conftest import Case


def test_the_first_pairs_are_the_largest_weights(case: Case) -> None:
    dense = effective_weights(case.result, case.layer, heads=[1, 3])
    found = top_pairs(*case.given, heads=[1, 3], top_k=7)
    wanted = dense.flatten().topk(7).values.tolist()
    assert [pair.attention_score for pair in found.pairs] == pytest.approx(wanted, rel=1e-5)
    for pair in found.pairs:
        why = pair.explanation
        place = (1, 3).index(why.head), why.query, why.key
        assert pair.attention_score == pytest.approx(float(dense[place]), rel=1e-5)
        assert pair.token_pair == (f"w{why.query}", f"w{why.key}")
        assert why.product == pytest.approx(why.weight, rel=1e-5)
    assert (found.heads, found.ranked_by, found.near) == ((1, 3), "weight", True)


def test_near_keys_can_be_left_out(causal_case: Case) -> None:
    found = top_pairs(*causal_case.given, top_k=6, near=False)
    far = torch.zeros(90, 90, dtype=torch.bool)
    for block in causal_case.result.blocks:
        far[block.queries] = block.far
    dense = effective_weights(causal_case.result, causal_case.layer)
    wanted = dense.masked_fill(~far, -torch.inf).flatten().topk(6).values.tolist()
    assert [pair.attention_score for pair in found.pairs] == pytest.approx(wanted, rel=1e-5)
    assert all(pair.explanation.reading != "near" for pair in found.pairs)


def test_they_can_be_ranked_by_contribution(causal_case: Case) -> None:
    found = top_pairs(*causal_case.given, heads=[0], top_k=5, by="contribution")
    dense = effective_weights(causal_case.result, causal_case.layer, heads=[0])[0]
    norms = dense.abs() * causal_case.layer.v[0].norm(dim=1)
    wanted = norms.flatten().topk(5).values.tolist()
    assert [pair.explanation.contribution for pair in found.pairs] == pytest.approx(
        wanted, rel=1e-4
    )


def test_main_contributors_are_the_splats_of_the_key(causal_case: Case) -> None:
    for pair in top_pairs(*causal_case.given, top_k=4).pairs:
        splats = pair.main_contributors
        assert [splat.level for splat in splats] == ["Document", "Section", "Phrase"]
        shares = [splat.contribution for splat in splats]
        assert 1 + 1e-9 >= shares[0] >= shares[1] >= shares[2] > 0
        assert shares[2] * pair.explanation.token_share == pytest.approx(pair.attention_score)
        assert [splat.splat_id for splat in splats] == [
            level.splat_id for level in pair.explanation.path
        ]
        assert all(splat.specialisation is None for splat in splats)


def test_a_text_of_near_keys_only_has_no_pairs_beyond_them(causal_case: Case) -> None:
    result = causal_case.result
    first = result.blocks[0]
    assert not first.far.any()
    short = replace(
        result, queries=first.queries, output=result.output[:, first.queries], blocks=(first,)
    )
    found = top_pairs(short, causal_case.layer, causal_case.strings, near=False)
    assert found.pairs == ()
