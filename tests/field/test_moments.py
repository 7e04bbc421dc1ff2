"""In-context moments: sums that add, up the hierarchy and along the text."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from hsa.attention.views import FramedLayer, into_layer
from hsa.field.moments import Sums, add_keys, moments, no_sums, phrase_sums, with_ancestors
from tests.attention.random_layers import random_layer


def a_layer(seed: int, tokens: int = 80) -> FramedLayer:
    return into_layer(*random_layer(seed, tokens))


def sums_of(layer: FramedLayer, keys: Tensor) -> Sums:
    empty = no_sums(layer.tree, layer.v.shape[-1])
    return add_keys(layer.tree, empty, layer.x, layer.v, keys)


def close(one: Sums, other: Sums, tolerance: float = 1e-4) -> bool:
    return all(
        torch.allclose(a, b, rtol=tolerance, atol=tolerance)
        for a, b in zip(vars(one).values(), vars(other).values(), strict=True)
    )


@given(seed=st.integers(0, 200), chosen=st.sets(st.integers(0, 79), max_size=80))
@settings(max_examples=15, deadline=None, derandomize=True)
def test_every_node_has_the_moments_of_its_keys(seed: int, chosen: set[int]) -> None:
    layer = a_layer(seed)
    keys = torch.zeros(80, dtype=torch.bool)
    keys[list(chosen)] = True
    known = moments(layer.tree, sums_of(layer, keys))
    covariance = known.covariance()
    for group in range(2):
        for node in range(layer.tree.nodes):
            level = int(layer.tree.level[group, node])
            own = keys & (layer.tree.key_node[group, :, level] == node) & (level >= 0)
            count = int(own.sum())
            assert int(known.count[group, node]) == count
            if not count:
                assert not known.variance[group, node].any()
                assert not known.value[group, node].any()
                continue
            x, v = layer.x[group, own].double(), layer.v[group, own].double()
            dx, dv = x - x.mean(0), v - v.mean(0)
            same = {
                "mean": x.mean(0),
                "value": v.mean(0),
                "variance": dx.square().mean(0),
                "value_variance": dv.square().sum(1).mean(),
            }
            for name, wanted in same.items():
                found = getattr(known, name)[group, node].double()
                assert torch.allclose(found, wanted, rtol=1e-4, atol=2e-5), (name, level)
            wanted = dv.mT @ dx / count
            assert torch.allclose(covariance[group, node].double(), wanted, rtol=1e-4, atol=2e-5)


@given(seed=st.integers(0, 200), chosen=st.sets(st.integers(0, 79), max_size=80))
@settings(max_examples=8, deadline=None, derandomize=True)
def test_sums_of_parents_are_those_of_their_children(seed: int, chosen: set[int]) -> None:
    layer = a_layer(seed)
    keys = torch.zeros(80, dtype=torch.bool)
    keys[list(chosen)] = True
    phrases = phrase_sums(layer.tree, layer.x, layer.v, keys)
    assert close(with_ancestors(layer.tree, phrases), sums_of(layer, keys))


def test_the_tilt_needs_no_covariance_matrix() -> None:
    layer = a_layer(4)
    known = moments(layer.tree, sums_of(layer, torch.arange(80) < 60))
    generator = torch.Generator().manual_seed(0)
    weight = torch.rand(2, 5, layer.tree.nodes, generator=generator)
    y = torch.randn(2, 5, layer.x.shape[-1], generator=generator)
    wanted = torch.einsum("gbc,gcvd,gbd->gbv", weight, known.covariance(), y)
    found = known.covariance_times(weight, y, chunk=7)
    assert torch.allclose(found, wanted, rtol=1e-4, atol=1e-4)
    assert float(wanted.abs().max()) > 1


def test_a_parent_is_the_sum_of_its_children() -> None:
    """Recentred on the parent's position: count, first and second moments, and the cross."""
    layer = a_layer(1)
    tree, sums = layer.tree, sums_of(layer, torch.ones(80, dtype=torch.bool))
    checked = 0
    for group in range(2):
        for node in (tree.level[group] < 2).nonzero().flatten().tolist():
            if int(tree.row[group, node]) < 0:
                continue
            total = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
            for child in (tree.parent[group] == node).nonzero().flatten().tolist():
                shift = tree.centre[group, child] - tree.centre[group, node]
                count, first = sums.count[group, child], sums.first[group, child]
                value = sums.value[group, child]
                parts = [
                    count,
                    first + count * shift,
                    sums.second[group, child] + 2 * shift * first + count * shift**2,
                    value,
                    sums.value_square[group, child],
                    sums.cross[group, child] + torch.outer(value, shift),
                ]
                total = [a + b for a, b in zip(total, parts, strict=True)]
            for name, wanted in zip(vars(sums), total, strict=True):
                found = getattr(sums, name)[group, node]
                assert torch.allclose(found, torch.as_tensor(wanted), rtol=1e-4, atol=1e-3), name
            checked += 1
    assert checked > 10


@given(seed=st.integers(0, 100), cuts=st.lists(st.integers(1, 79), min_size=1, max_size=4))
@settings(max_examples=10, deadline=None, derandomize=True)
def test_prefixes_add_up_to_what_is_computed_from_scratch(seed: int, cuts: list[int]) -> None:
    layer = a_layer(seed)
    position = torch.arange(80)
    carried, start = no_sums(layer.tree, layer.v.shape[-1]), 0
    for end in sorted({*cuts, 80}):
        new = (position >= start) & (position < end)
        added = add_keys(layer.tree, carried, layer.x, layer.v, new, chunk=9)
        assert close(added, carried + sums_of(layer, new))
        assert close(added, sums_of(layer, position < end))
        carried = added
        start = end
    assert float(carried.count.sum()) == 2 * 3 * 80


def test_single_keys_have_no_spread() -> None:
    layer = a_layer(2)
    one = torch.zeros(80, dtype=torch.bool)
    one[17] = True
    known = moments(layer.tree, sums_of(layer, one))
    assert known.count.sum() == 2 * 3
    assert not known.variance.any() and not known.covariance().any()
    phrase = int(layer.tree.key_node[0, 17, 2])
    assert torch.allclose(known.mean[0, phrase], layer.x[0, 17], atol=1e-5)


@pytest.mark.parametrize("offset", [0.0, 300.0])
def test_centred_sums_keep_their_digits_far_from_the_origin(offset: float) -> None:
    """Sums are centred on the persistent position: an offset that would cost the squares of a
    float32 half of its digits leaves variances right to 1e-3."""
    layer = a_layer(3)
    shift = torch.full((layer.x.shape[-1],), offset)
    tree = type(layer.tree)(**{**vars(layer.tree), "centre": layer.tree.centre + shift})
    x = layer.x + shift
    keys = torch.ones(80, dtype=torch.bool)
    sums = add_keys(tree, no_sums(tree, layer.v.shape[-1]), x, layer.v, keys)
    known = moments(tree, sums)
    for node in range(tree.nodes):
        own = layer.tree.key_node[0, :, int(tree.level[0, node])] == node
        if int(tree.row[0, node]) >= 0 and int(own.sum()) > 1:
            wanted = x[0, own].double().var(0, correction=0)
            assert torch.allclose(known.variance[0, node].double(), wanted, rtol=1e-3, atol=1e-4)
