"""Layers, plans and ways to open for the tests of blocked HSA: small, and uneven on purpose."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn.functional import pad, scaled_dot_product_attention
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from hsa.activations import Activations
from hsa.attention.block_plan import BlockPlan
from hsa.attention.blocked import BlockedResult, blocked_attention
from hsa.attention.one_thread import one_thread
from hsa.field.layer_field import LayerField
from tests.attention.random_layers import SPLATS, random_layer

PLAN = BlockPlan(block=8, splats=12, tokens=10, scored=4, chunk=2, tilted=3)
"""Tight enough that some splats stay closed, some open, and some queries have room left."""

FULL = BlockPlan(block=8, splats=40, tokens=200, scored=4, chunk=3)
"""Room for every Phrase of the small fields, and for every token of a text up to 200."""

WAYS = ("shared", "own", "mixed")

DIRECTIONS = pytest.mark.parametrize("causal", [True, False], ids=["one way", "both ways"])
SIZES = (SPLATS, (2, 5, 14), (1, 4, 17))


def block_layer(
    seed: int,
    tokens: int = 60,
    groups: int = 2,
    group: int = 2,
    dim: int = 6,
    value_dim: int | None = None,
    sharpness: float = 2.0,
) -> tuple[Activations, LayerField]:
    """A random layer whose key/value heads have fields of different sizes."""
    parts = [
        random_layer(
            seed + 100 * g, tokens, 1, group, dim, splats=SIZES[g % 3], sharpness=sharpness
        )
        for g in range(groups)
    ]
    q, k, v = (torch.cat([getattr(part[0], name) for part in parts]) for name in "qkv")
    most = max(field.position.shape[1] for _, field in parts)

    def stacked(name: str) -> Tensor:
        fill = {"log_amplitude": -torch.inf, "level": -1, "parent": -1, "splat_id": -1}.get(name, 0)
        tensors = []
        for _, field in parts:
            tensor, missing = getattr(field, name), most - field.position.shape[1]
            if name not in ("frame", "temper", "tilt"):
                tensor = pad(tensor, (0,) * (2 * tensor.dim() - 4) + (0, missing), value=fill)
            tensors.append(tensor)
        return torch.cat(tensors)

    field = LayerField(**{name: stacked(name) for name in LayerField.__dataclass_fields__})
    return replace(parts[0][0], q=q, k=k, v=v[..., :value_dim]), field


def turned(layer: Activations, plan: BlockPlan, causal: bool) -> tuple[Activations, BlockPlan]:
    """The same text read one way, or both ways with its first and last token always near."""
    special = torch.zeros_like(layer.near_special)
    special[[0, -1]] = not causal
    return replace(layer, causal=causal, near_special=special), replace(plan, causal=causal)


def one_loud_key_in_a_closed_splat() -> tuple[Activations, LayerField, BlockPlan]:
    """Keys 4 and 5 lie opposite each other, far along what all queries ask for.

    The only Phrase is closed, and with τ = 0 its mass knows their mean alone: key 4 has a logit
    of hundreds, and no say.
    """
    layer, field = random_layer(0, 40, 1, 2, splats=(1, 1, 1))
    generator = torch.Generator().manual_seed(1)
    asked = torch.randn(6, generator=generator)
    asked /= asked.norm()
    k = 0.1 * torch.randn(1, 40, 6, generator=generator)
    k[0, 4], k[0, 5] = 30 * asked, -30 * asked
    q = 30 * asked + 0.1 * torch.randn(2, 40, 6, generator=generator)
    field = replace(field, temper=torch.zeros_like(field.temper))
    return replace(layer, q=q, k=k), field, replace(PLAN, tokens=1)


def own_reads(way: str, heads: int) -> tuple[int, ...]:
    """Far reads of every head's queries, 0 where they share; another number for every head."""
    own = {"shared": lambda h: 0, "own": lambda h: 16 + 6 * h, "mixed": lambda h: 24 * (h % 2)}
    return tuple(own[way](head) for head in range(heads))


def attended(
    layer: Activations,
    field: LayerField,
    plan: BlockPlan = PLAN,
    own: tuple[int, ...] | None = None,
    keep: bool = False,
) -> BlockedResult:
    return blocked_attention(layer.q, layer.k, layer.v, layer.scaling, field, plan, own, keep)


def changed_after(layer: Activations, last: int, seed: int, scale: float = 3.0) -> Activations:
    """The layer with q, k and v of all tokens after `last` made anew."""
    generator = torch.Generator().manual_seed(seed)

    def change(tensor: Tensor) -> Tensor:
        other = scale * torch.randn(tensor.shape, generator=generator)
        return torch.cat([tensor[:, : last + 1], other[:, last + 1 :]], dim=1)

    return replace(layer, q=change(layer.q), k=change(layer.k), v=change(layer.v))


def softmax_attention(layer: Activations) -> Tensor:
    """[G, R, T, V] in float64, by PyTorch's own attention."""
    groups = layer.k.shape[0]
    heads = layer.q.shape[0] // groups
    k, v = (t.double().repeat_interleave(heads, 0) for t in (layer.k, layer.v))
    output = scaled_dot_product_attention(
        layer.q.double(), k, v, is_causal=layer.causal, scale=layer.scaling
    )
    return output.unflatten(0, (groups, heads))


class Watching(TorchDispatchMode):
    """Sees every operation of this thread, on which all work is kept meanwhile."""

    def __enter__(self):
        self._alone = one_thread()
        self._alone.__enter__()
        return super().__enter__()

    def __exit__(self, *raised):
        super().__exit__(*raised)
        self._alone.__exit__(*raised)


class LargestMade(Watching):
    """Bytes of the largest tensor that any operation makes; views of its inputs are free."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        given = {
            leaf.untyped_storage().data_ptr()
            for leaf in tree_leaves((args, kwargs))
            if isinstance(leaf, Tensor)
        }
        made = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(made):
            if isinstance(leaf, Tensor):
                storage = leaf.untyped_storage()
                if storage.data_ptr() not in given:
                    self.bytes = max(self.bytes, storage.nbytes())
        return made
