"""A layer and its blocks of queries as HSA sees them, before any cut is chosen (design §3-5)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from hsa.activations import Activations
from hsa.attention.near import NearKeys, QueryBlock
from hsa.attention.tails import bounded
from hsa.errors import InputError
from hsa.field.frame import into_frame
from hsa.field.layer_field import LayerField
from hsa.field.moments import Moments, add_keys, moments, no_sums
from hsa.field.routing import route
from hsa.field.splat_field import PHRASE
from hsa.field.tree import OpeningTree, PromptTree, opening_tree, prompt_tree


@dataclass(frozen=True)
class FramedLayer:
    """A layer's activations beside its field: keys x and queries y in the frame, routed.

    Query heads stand as G groups of R; everything float32.
    """

    activations: Activations
    field: LayerField
    near: NearKeys
    q: Float[Tensor, "G R T D"]
    k: Float[Tensor, "G T D"]
    v: Float[Tensor, "G T V"]
    x: Float[Tensor, "G T D"]
    y: Float[Tensor, "G R T D"]
    tree: PromptTree


def into_layer(
    activations: Activations, field: LayerField, near: NearKeys | None = None
) -> FramedLayer:
    """Bring one layer's q, k, v into its field's frame and route the keys."""
    groups, tokens, dim = activations.k.shape
    if field.groups != groups or field.position.shape[-1] != dim:
        raise InputError(
            "This layer cannot be read through this field",
            got=f"a field of {field.groups} heads of {field.position.shape[-1]} dimensions",
            needed=f"{groups} heads of {dim} dimensions, as this layer has",
            attempt="use the field that was fitted for this model",
        )
    if activations.sliding_window is not None and activations.sliding_window < tokens:
        raise InputError(
            "This layer cannot be read through this field",
            got=f"{tokens} tokens in a layer that sees only {activations.sliding_window}",
            needed="a text within the layer's sliding window",
            attempt="shorten the prompt",
        )
    q, k, v = activations.q.float(), activations.k.float(), activations.v.float()
    q = q.reshape(groups, -1, tokens, dim)
    x, y = into_frame(field.frame, q, k, activations.scaling)
    return FramedLayer(
        activations, field, near or NearKeys.for_length(tokens, activations.causal),
        q, k, v, x, y, prompt_tree(field, route(x, field)),
    )  # fmt: skip


@dataclass(frozen=True)
class BlockView:
    """One block of queries (B = R·Q rows a group) before its cut is chosen.

    `gaussian` is y·x̄ + log n, `spread` is u(y); `logits` are the tokens' own.
    """

    layer: FramedLayer
    block: QueryBlock
    moments: Moments
    opening: OpeningTree
    y: Float[Tensor, "G B D"]
    logits: Float[Tensor, "G B T"]
    near: Bool[Tensor, "B T"]
    gaussian: Float[Tensor, "G B C"]
    spread: Float[Tensor, "G B C"]

    @property
    def heads(self) -> int:
        return self.layer.y.shape[1]

    def per_row(self, per_head: Float[Tensor, "G R 3"]) -> Float[Tensor, "G B C"]:
        """Spread a weight per head and level over rows and nodes."""
        level = self.layer.tree.level.clamp_min(0)
        per_node = torch.stack([head[:, at] for head, at in zip(per_head, level, strict=True)])
        return per_node.repeat_interleave(self.block.queries.numel(), dim=1)

    def log_mass(self, temper: Float[Tensor, "G R 3"]) -> Float[Tensor, "G B C"]:
        """Log m_s(y) = log n + y·x̄ + ½ τ u / (1 + c·u)."""
        return self.gaussian + 0.5 * self.per_row(temper) * bounded(self.spread)

    def log_error(self, temper: Float[Tensor, "G R 3"] | float) -> Float[Tensor, "G B C"]:
        """Log n + y·x̄ + ½ τ u + ½ log u + ½ log tr Var(v): what closing a splat may cost.

        Nothing is bounded here: one key far out in a wide splat may hold all that a Gaussian
        promises, and only opening it tells.
        """
        share = self.per_row(temper) if isinstance(temper, Tensor) else temper
        variance = self.moments.value_variance.clamp_min(1e-30).log().unsqueeze(1)
        scatter = 0.5 * (self.spread.clamp_min(1e-30).log() + variance)
        return self.gaussian + 0.5 * share * self.spread + scatter


def block_views(
    layer: FramedLayer, queries: Int[Tensor, " Q"], crossed: bool = True
) -> Iterator[BlockView]:
    """Every block of the queries asked for, moments carried along the text by adding sums.

    Args:
        crossed: with the covariance of keys and values.
    """
    causal, special = layer.activations.causal, layer.activations.near_special
    none = no_sums(layer.tree, layer.v.shape[-1], crossed)
    sums = none
    counted = torch.zeros_like(special)
    k = layer.k.double()
    for block in layer.near.blocks(queries, special, causal):
        if bool((counted & ~block.far).any()):
            sums, counted = none, torch.zeros_like(special)
        sums = add_keys(layer.tree, sums, layer.x, layer.v, block.far & ~counted)
        counted = block.far
        known = moments(layer.tree, sums)
        y = layer.y[:, :, block.queries].flatten(1, 2)
        q = layer.q[:, :, block.queries].flatten(1, 2)
        empty = (known.count == 0).unsqueeze(1)
        gaussian = known.count.clamp_min(1).log().unsqueeze(1) + y @ known.mean.mT
        yield BlockView(
            layer, block, known, opening_tree(layer.tree, known.count), y,
            _logits(q, k, layer.activations.scaling),
            block.near(causal).repeat(layer.y.shape[1], 1),
            gaussian.masked_fill(empty, -torch.inf),
            (y * y) @ known.variance.mT,
        )  # fmt: skip


def _logits(
    q: Float[Tensor, "G B D"], k: Float[Tensor, "G T D"], scaling: float
) -> Float[Tensor, "G B T"]:
    """Logits scaling · q·k, rounded once.

    Float32 products differ from kernel to kernel, and at logits of 40 by more than an
    explanation may be off.
    """
    return (scaling * (q.double() @ k.mT)).float()


def phrase_log_mass(view: BlockView) -> Float[Tensor, "G B C"]:
    """Log Σ exp(q·k) over the far tokens of each Phrase: what opening it would find."""
    phrase = view.layer.tree.key_node[:, :, PHRASE].unsqueeze(1).expand_as(view.logits)
    far = view.logits.masked_fill(~view.block.far, -torch.inf)
    top = torch.full_like(view.gaussian, -torch.inf)
    top = top.scatter_reduce(2, phrase, far, "amax")
    safe = top.masked_fill(top == -torch.inf, 0.0)
    scaled = (far - safe.gather(2, phrase)).exp()
    return torch.zeros_like(top).scatter_add(2, phrase, scaled).log() + safe
