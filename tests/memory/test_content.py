"""Contents: what tells two values apart, and the bytes that one takes."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import pytest
import torch
from torch import Tensor

from hsa.attention.block_plan import BlockPlan
from hsa.attention.spending import Spending
from hsa.memory.content import content_key, held_bytes
from tests.attention.random_layers import random_layer


def test_equal_contents_in_other_objects_have_one_key() -> None:
    first, second = (content_key(*random_layer(3), BlockPlan(), 0.5, "x") for _ in range(2))
    assert first == second
    assert len(first) == 64


def test_a_tensor_that_changed_has_another_key() -> None:
    """Its address is the same: a key by `id` would return the old result."""
    tensor = torch.zeros(2000)
    before = content_key(tensor)
    tensor[1000] = 1e-6
    assert content_key(tensor) != before


def test_a_change_deep_inside_a_setting_is_seen() -> None:
    """`repr` shortens long tensors, so a key made of it would miss this."""
    activations, layer = random_layer(3)
    temper = layer.temper.clone()
    reads = torch.arange(3000)
    other = reads.clone()
    other[1500] += 1
    assert repr(reads) == repr(other)
    assert content_key(Spending(reads)) != content_key(Spending(other))
    temper[1, 1, 2] += 1e-6
    assert content_key(activations, layer) != content_key(
        activations, replace(layer, temper=temper)
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (torch.zeros(6), torch.zeros(2, 3)),
        (torch.zeros(4), torch.zeros(4, dtype=torch.int32)),
        (torch.zeros(4, dtype=torch.float16), torch.zeros(4, dtype=torch.bfloat16)),
        (torch.tensor(1.0), torch.tensor([1.0])),
        (1, 1.0),
        (1, True),
        (None, "None"),
        ("ab", b"ab"),
        ((1, 2), [1, 2]),
        (((1, 2), 3), (1, (2, 3))),
        (("ab", "c"), ("a", "bc")),
        ({"a": 1}, {"a": 2}),
        ({1, 2}, {1, 3}),
        (BlockPlan(), BlockPlan(tokens=255)),
        (BlockPlan().tokens, BlockPlan()),
        (torch.float32, torch.float64),
    ],
)
def test_what_differs_has_another_key(one: object, other: object) -> None:
    assert content_key(one) != content_key(other)


def test_parts_cannot_run_together() -> None:
    assert content_key("a", "b") != content_key("ab")
    assert content_key((), (1,)) != content_key((1,), ())
    kind = b"builtins.bytes"
    assert content_key(b"a" + kind, b"b") != content_key(b"a", kind + b"b")
    assert content_key(torch.zeros(1), torch.zeros(2)) != content_key(
        torch.zeros(2), torch.zeros(1)
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (torch.arange(6).view(2, 3).mT, torch.arange(6).view(2, 3).mT.contiguous()),
        (torch.ones(1).expand(4), torch.ones(4)),
        (torch.arange(8)[::2], torch.tensor([0, 2, 4, 6])),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({"x", "y", "z"}, {"z", "y", "x"}),
        (math.nan, math.nan),
        (torch.ones(2, requires_grad=True), torch.ones(2)),
    ],
)
def test_how_contents_lie_does_not_matter(one: object, other: object) -> None:
    assert content_key(one) == content_key(other)


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.bfloat16, torch.complex64])
def test_every_dtype_has_keys(dtype: torch.dtype) -> None:
    one, other = torch.zeros(3, dtype=dtype), torch.zeros(3, dtype=dtype)
    assert content_key(one) == content_key(other)
    other[2] = 1
    assert content_key(one) != content_key(other)
    assert content_key(one[:0]) == content_key(other[:0])


@pytest.mark.parametrize("part", [object(), len, lambda: 1, BlockPlan, torch.nn.Linear(1, 1)])
def test_what_could_only_be_told_by_its_address_is_refused(part: object) -> None:
    with pytest.raises(TypeError, match="no contents"):
        content_key(1, (part,))


@dataclass(frozen=True)
class Answer:
    output: Tensor
    by_name: dict[str, list[Tensor]]

    @cached_property
    def doubled(self) -> Tensor:
        return 2 * self.output


def test_bytes_are_those_of_all_tensors_wherever_they_stand() -> None:
    made = Answer(torch.zeros(1000), {"a": [torch.zeros(500, dtype=torch.float64), b"x" * 300]})
    held = 4000 + 4000 + 300
    assert held < held_bytes(made) < held + 1500
    assert made.doubled.numel() == 1000
    assert held + 4000 < held_bytes(made) < held + 4000 + 1600, "with what was computed since"


def test_a_view_takes_what_it_shows() -> None:
    assert held_bytes(torch.zeros(1_000_000)[:10]) < 1000
