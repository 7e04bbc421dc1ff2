"""What a prompt does with each splat: every key is held once a level, and errors are HSA's."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from hsa.attention import exact
from hsa.attention.effective import effective_weights
from hsa.attention.reference import attend
from hsa.attention.spending import Spending
from hsa.attention.views import into_layer
from hsa.explanation import splat_use as module
from hsa.explanation.splat_use import splat_errors, splat_use
from tests.attention.random_layers import random_layer


@pytest.fixture(params=[True, False], ids=["causal", "bidirectional"])
def head(request: pytest.FixtureRequest):
    """One key/value head with two query heads, and its field."""
    activations, field = random_layer(3, 70, 2, 2, causal=request.param)
    own = replace(activations, q=activations.q[2:], k=activations.k[1:], v=activations.v[1:])
    return own, field.group(1)


def test_every_key_is_held_once_a_level_and_mass_adds_up(head) -> None:
    given, field = head
    use = splat_use(given, field)
    weight = exact.weights(given).mean((0, 1))
    assert torch.allclose(use.received, weight, atol=1e-6)
    for level in range(3):
        own = field.level[0] == level
        assert int(use.keys[own].sum()) == 70
        assert float(use.mass[own].sum()) == pytest.approx(1, abs=1e-5)
    tree = into_layer(given, field).tree
    for row in range(field.level.shape[1]):
        keys = use.held(row)
        assert len(keys) == int(use.keys[row])
        assert float(use.mass[row]) == pytest.approx(float(weight[keys].sum()), abs=1e-6)
        children = (field.parent[0] == row).nonzero().squeeze(1)
        if len(children):
            assert int(use.keys[children].sum()) == int(use.keys[row])
    rows = tree.row[0][tree.key_node[0]]
    assert torch.equal(rows, use.key_row), "as attention routes them"
    looks = exact.weights(given).mean(0)
    assert torch.allclose(use.seen_weight, looks.gather(1, use.seen).where(use.seen > 0, 0.0))
    assert float(use.seen_weight[20, 0]) == pytest.approx(float(looks[20, 1:].max()))


def test_errors_are_what_the_weights_of_held_keys_move(head) -> None:
    given, field = head
    one, own = replace(given, q=given.q[:1]), field.group(0, slice(0, 1))
    framed = into_layer(one, own)
    use = splat_use(given, field)
    result = attend(one, own, Spending(torch.tensor([6])))
    found = splat_errors(result, framed, use.key_row, len(use.keys))
    standard = exact.weights(one)[0]
    apart = effective_weights(result, framed)[0] - standard
    total = (standard @ one.v[0]).norm()
    for row in range(len(found)):
        keys = use.held(row)
        moved = (apart[:, keys] @ one.v[0][keys]).norm() / total
        assert float(found[row]) == pytest.approx(float(moved), rel=1e-4, abs=1e-7)
    assert float(found.max()) > 1e-3
    everything = attend(one, own, Spending(torch.tensor([1000])))
    assert float(splat_errors(everything, framed, use.key_row, len(found)).max()) < 1e-5


def test_parts_of_a_text_at_a_time_give_the_same(head, monkeypatch: pytest.MonkeyPatch) -> None:
    given, field = head
    whole = splat_use(given, field)
    monkeypatch.setattr(module, "ROWS_AT_ONCE", 700)
    parts = splat_use(given, field)
    assert torch.allclose(whole.received, parts.received, atol=1e-6)
    assert torch.equal(whole.seen, parts.seen)
