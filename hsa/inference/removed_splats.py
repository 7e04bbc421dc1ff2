"""Standard attention in which chosen heads are blind to the keys of chosen splats.

Every key of the text is routed by the field, and in the heads asked for the logits of the splats'
keys are -∞, so that the rest of each row is renormalised. A row all of whose visible keys would
go keeps its own token. All other heads, and all rows that see no such key, are standard attention
bit for bit.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hsa.errors import FieldError, InputError, ModelError
from hsa.field.by_id import splat_row
from hsa.field.layer_field import LayerField
from hsa.field.model_field import ModelField
from hsa.field.routing import key_paths
from hsa.inference.own_layers import OwnLayers
from hsa.inference.readable import check_expressible
from hsa.models.loaded import LoadedModel
from hsa.models.program import AttentionCall
from hsa.models.substitution import standard

ROWS_AT_ONCE = 512


@dataclass(frozen=True)
class Removal:
    """What was taken from one head: keys of the text, and rows left with their own token."""

    keys: int
    rows_changed: int
    own_token_rows: int


class RemovedSplats:
    """A program for prefills of one text: `with running(RemovedSplats(...)): model(...)`.

    Attributes:
        removals: of each (layer, query head) asked for, in the last pass.

    Raises:
        FieldError: another model's field, or a splat that does not live in its head.
        InputError: a layer or a head that the model does not have; in a pass, several texts at
            once or tokens that follow a cache.
        ModelError: in a pass, another model, or logits that are not q·k alone.
    """

    def __init__(
        self,
        loaded: LoadedModel,
        field: ModelField,
        removed: Mapping[tuple[int, int], Collection[int]],
    ) -> None:
        if field.fingerprint != loaded.fingerprint:
            raise FieldError(
                "The field belongs to another model",
                got=f"a field of {field.model}",
                needed=f"a field of {loaded.title}",
                attempt="fit one with `python -m hsa fit`",
            )
        self.own = OwnLayers(loaded)
        self.fields: dict[int, LayerField] = {}
        self.rows: dict[int, dict[int, Tensor]] = {}
        self.removals: dict[tuple[int, int], Removal] = {}
        share = loaded.query_heads // loaded.key_value_heads
        for (layer, head), ids in removed.items():
            if not (0 <= layer < loaded.layers and 0 <= head < loaded.query_heads):
                raise InputError(
                    "The model has no such head",
                    got=f"layer {layer}, head {head}",
                    needed=f"layers 0 to {loaded.layers - 1}, heads 0 to {loaded.query_heads - 1}",
                )
            if layer not in self.fields:
                self.fields[layer] = field.layer(layer)
            rows = [splat_row(self.fields[layer], head // share, splat_id) for splat_id in ids]
            self.rows.setdefault(layer, {})[head] = torch.tensor(sorted(rows), dtype=torch.long)

    def __call__(self, call: AttentionCall) -> Float[Tensor, "1 T H V"]:
        """Answer one layer's call."""
        layer = self.own.of(call)
        usual = standard(call)
        if layer not in self.rows:
            return usual
        _check_prefill(call)
        check_expressible(call)
        return self._without(layer, call, usual)

    def _without(self, layer: int, call: AttentionCall, usual: Tensor) -> Tensor:
        field = self.fields[layer].to(call.key.device)
        paths = key_paths(field, call.key[0])
        share = call.query.shape[1] // call.key.shape[1]
        given = usual.clone()
        for head, rows in self.rows[layer].items():
            gone = torch.isin(paths[head // share], rows.to(paths.device)).any(-1)
            changed = alone = 0
            for first in range(0, gone.numel() if bool(gone.any()) else 0, ROWS_AT_ONCE):
                part = slice(first, first + ROWS_AT_ONCE)
                said, touched, left_alone = _head_rows(call, head, share, gone, part)
                before = given[0, part, head]
                given[0, part, head] = torch.where(touched.unsqueeze(1), said, before)
                changed, alone = changed + int(touched.sum()), alone + int(left_alone.sum())
            self.removals[layer, head] = Removal(int(gone.sum()), changed, alone)
        return given


def _head_rows(
    call: AttentionCall, head: int, share: int, gone: Bool[Tensor, " T"], part: slice
) -> tuple[Float[Tensor, "Q V"], Bool[Tensor, " Q"], Bool[Tensor, " Q"]]:
    """Some rows of one head without the keys that are gone; rows that saw any, and saw no other."""
    q, k, v = call.query[0, head, part], call.key[0, head // share], call.value[0, head // share]
    position = torch.arange(gone.numel(), device=gone.device)
    query = position[part].unsqueeze(1)
    if call.mask is not None:
        seen = call.mask[0, min(head, call.mask.shape[1] - 1), part]
    else:
        seen = (position <= query) if call.causal else torch.ones_like(position <= query)
    touched, alone = (seen & gone).any(1), ~(seen & ~gone).any(1)
    left = torch.where(alone.unsqueeze(1), position == query, seen & ~gone)
    logits = call.scaling * (q.float() @ k.float().mT)
    weight = logits.masked_fill(~left, -torch.inf).softmax(-1)
    return (weight @ v.float()).to(call.query.dtype), touched, alone & touched


def _check_prefill(call: AttentionCall) -> None:
    if call.query.shape[0] != 1 or call.query.shape[2] != call.key.shape[2]:
        raise InputError(
            "Splats are removed from one whole text at a time",
            got=f"{call.query.shape[0]} texts, {call.query.shape[2]} queries beside "
            f"{call.key.shape[2]} keys",
            needed="one text, read from its beginning without a cache",
        )
    if call.mask is not None and call.mask.dtype != torch.bool:
        raise ModelError(
            "This attention mask cannot be read",
            got="a mask of numbers added to the logits",
            needed="a mask of visible keys, or none",
        )
