"""Four shares whose product is the weight."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from hsa.attention.effective import CutRows, cut_rows, effective_weights
from hsa.errors import InputError
from hsa.explanation.pair import STATES, explain_pair
from hsa.explanation.shares import row_shares
from tests.attention.slow import SlowHead, SlowRow
from tests.explanation.conftest import Case, attended


def every_cut(case: Case) -> list[CutRows]:
    return [cut for head in range(4) for cut in cut_rows(case.result, case.layer, head)]


def test_shares_multiply_to_the_weight(case: Case) -> None:
    tilted = 0
    for cut in every_cut(case):
        weights = cut.weights()
        product = row_shares(cut).product(cut)
        assert torch.allclose(product, weights, rtol=1e-5, atol=0)
        tilted += int((row_shares(cut).tilt_factor != 1).sum())
    assert tilted > 1000


def test_shares_of_siblings_sum_to_one(case: Case) -> None:
    """Documents of the row, children of every parent, keys of every Phrase with mass."""
    for cut in every_cut(case):
        shares = row_shares(cut)
        share = shares.of_parent.exp()
        visible = torch.zeros_like(share)
        for level in range(3):
            visible.index_add_(1, cut.key_node[:, level], cut.visible.double())
        documents = share[:, cut.level == 0].sum(1)
        assert torch.allclose(documents, torch.ones_like(documents))
        for parent in range(cut.level.numel()):
            present = visible[:, parent] > 0
            if cut.level[parent] < 2:
                whole = share[:, cut.parent == parent].sum(1)[present]
            else:
                own = (cut.key_node[:, 2] == parent) & cut.visible
                whole = shares.of_phrase.exp().where(own, 0.0).sum(1)[present]
            assert torch.allclose(whole, torch.ones_like(whole))


def test_below_a_closed_splat_shares_are_by_count(causal_case: Case) -> None:
    """Where none of a closed splat's keys is near, a child has its part of the far keys."""
    seen = 0
    for cut in every_cut(causal_case):
        shares = row_shares(cut).of_parent.exp()
        for row in range(cut.queries.numel()):
            near_nodes = set(cut.key_node[cut.near[row]].flatten().tolist())
            for node in cut.closed[row].nonzero().flatten().tolist():
                if node in near_nodes or int(cut.level[node]) == 2:
                    continue
                children = (cut.parent == node).nonzero().flatten()
                wanted = cut.count[children] / cut.count[node]
                assert torch.allclose(shares[row, children], wanted)
                seen += int((wanted > 0).sum() > 1)
    assert seen > 20


def wanted_masses(slow: SlowHead, row: SlowRow) -> dict[int, float]:
    """Every splat's share of the row, from the definition's untilted weights."""
    masses: dict[int, float] = {}
    untilted = dict(row.weights)
    for splat in row.closed:
        keys = [j for j in row.weights if splat in slow.chain(slow.phrase[j])]
        far = [j for j in keys if j in slow.last_far]
        total = sum(row.weights[j] for j in far)
        untilted |= {j: total / len(far) for j in far}
    for key, weight in untilted.items():
        for splat in slow.chain(slow.phrase[key]):
            masses[splat] = masses.get(splat, 0.0) + weight
    return masses


def test_shares_are_ratios_of_the_definitions_masses(case: Case) -> None:
    layer = case.layer
    near, compared = layer.near, 0
    for head, reads in enumerate((4, 8, 14, 20)):
        slow = SlowHead(layer.activations, layer.field, head, (near.sinks, near.window, near.step))
        for query in (30, 61, 89):
            wanted = slow.attend(query, reads)
            if wanted.closest_call < 1e-4:
                continue
            slow.last_far = slow.far_keys(query)
            masses = wanted_masses(slow, wanted)
            for key in range(0, query + 1, 4):
                found = explain_pair(*case.given, head, query, key)
                phrase, section, document = slow.chain(slow.phrase[key])
                shares = [
                    masses[document],
                    masses[section] / masses[document],
                    masses[phrase] / masses[section],
                ]
                assert [level.share for level in found.path] == pytest.approx(shares, rel=1e-4)
                rows = [document, section, phrase]
                ids = layer.field.splat_id[head // 2, rows].tolist()
                assert [level.splat_id for level in found.path] == ids
                assert found.weight == pytest.approx(wanted.weights[key], rel=1e-4, abs=1e-9)
                compared += 1
    assert compared > 100


def test_a_pair_says_how_it_came_about(causal_case: Case) -> None:
    result, layer, strings = causal_case.given
    dense = effective_weights(result, layer)
    states, readings = set(), set()
    for head in range(4):
        for query in range(20, 90, 3):
            (cut,) = cut_rows(result, layer, head, [query])
            for key in range(0, query + 1, 5):
                pair = explain_pair(*causal_case.given, head, query, key)
                assert pair.weight == pytest.approx(float(dense[head, query, key]), rel=1e-5)
                assert pair.product == pytest.approx(pair.weight, rel=1e-5)
                path = pair.path
                by_hand = path[0].share * path[1].share * path[2].share * pair.token_share
                assert by_hand == pytest.approx(pair.product, rel=1e-9)
                assert path[2].mass == pytest.approx(
                    path[0].share * path[1].share * path[2].share, rel=1e-9
                )
                assert [level.level for level in path] == ["Document", "Section", "Phrase"]
                assert (pair.query_token, pair.key_token) == (strings[query], strings[key])
                v = layer.v[head // 2, key].double()
                assert pair.contribution == pytest.approx(float((pair.weight * v).norm()))
                closed = [level.state for level in path].count("closed")
                if pair.reading == "closed":
                    assert closed == 1 and not bool(cut.read[0, key])
                else:
                    assert not pair.tilted and pair.tilt_factor == 1
                    assert (pair.reading == "near") == bool(cut.near[0, key])
                if pair.reading == "opened":
                    assert path[2].state in ("opened", "not needed")
                assert pair.tilted == (pair.tilt_factor != 1)
                states |= {level.state for level in path}
                readings.add(pair.reading)
    assert states == set(STATES), "every state occurs"
    assert readings == {"near", "opened", "closed"}


def test_negative_tilted_weights_are_kept(causal_case: Case) -> None:
    negative = 0
    for head in range(4):
        for cut in cut_rows(causal_case.result, causal_case.layer, head):
            weights = cut.weights()
            for row, key in (weights < -1e-9).nonzero()[:3].tolist():
                pair = explain_pair(*causal_case.given, head, int(cut.queries[row]), key)
                assert pair.weight < 0 and pair.tilted and pair.tilt_factor < 0
                assert pair.token_share < 0 and pair.product == pytest.approx(pair.weight, rel=1e-5)
                assert all(level.share >= 0 for level in pair.path)
                negative += 1
    assert negative > 5


def test_a_parent_without_mass_shares_by_count(causal_case: Case) -> None:
    """A closed splat whose mass is nothing at all, even as a log: counts decide, not 0 / 0."""
    cut = next(
        cut
        for cut in cut_rows(causal_case.result, causal_case.layer, 0)
        if (cut.closed & (cut.level == 0)).any()
    )
    row, document = (cut.closed & (cut.level == 0)).nonzero()[0].tolist()
    near_here = cut.near[row] & (cut.key_node[:, 0] == document)
    log_mass = cut.log_mass.clone()
    log_mass[row, document] = -torch.inf
    logits = cut.logits.clone()
    logits[row, near_here] = -torch.inf
    shares = row_shares(replace(cut, log_mass=log_mass, logits=logits))
    keys = cut.visible[row] & (cut.key_node[:, 0] == document)
    path = shares.path(cut)[row, keys].exp()
    assert not shares.of_parent[row].isnan().any() and not path.isnan().any()
    assert (path[:, 0] == 0).all()
    sections = cut.key_node[keys, 1]
    counts = torch.stack([(sections == section).double().mean() for section in sections])
    assert torch.allclose(path[:, 1], counts)
    assert float(shares.product(cut)[row, keys].abs().max()) == 0


def test_what_cannot_be_seen_is_refused(causal_case: Case) -> None:
    with pytest.raises(InputError, match="cannot see"):
        explain_pair(*causal_case.given, 0, 20, 21)
    with pytest.raises(InputError, match="no such key"):
        explain_pair(*causal_case.given, 0, 20, 90)
    with pytest.raises(InputError, match="no such key"):
        explain_pair(*causal_case.given, 0, 20, -1)
    with pytest.raises(InputError, match="no such head"):
        explain_pair(*causal_case.given, 4, 20, 2)
    with pytest.raises(InputError, match="not computed"):
        explain_pair(*causal_case.given, 0, 90, 2)


def test_a_row_that_read_everything_needed_no_splat() -> None:
    case = attended(reads=(90, 90, 90, 90))
    pair = explain_pair(*case.given, 1, 80, 10)
    assert {level.state for level in pair.path} == {"not needed"}
    assert pair.reading == "opened" and pair.product == pytest.approx(pair.weight, rel=1e-5)
