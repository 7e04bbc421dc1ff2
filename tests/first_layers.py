"""The first layers of a real model: its own weights, queries, keys and values, for less work.

What happens in a layer depends on no later one, so its shipped field belongs to these layers too.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import torch

from hsa.field.curves import ErrorCurves, OwnCurves
from hsa.field.model_field import ModelField
from hsa.models.adopt import adopt
from hsa.models.loaded import LoadedModel

EXAMPLE = torch.arange(1000, 1008)[None]
PER_HEAD = ("error", "oracle", "stop_reads", "stop_error", "scale")

C = TypeVar("C", ErrorCurves, OwnCurves)


def first_layers(loaded: LoadedModel, layers: int, positions: int | None = None) -> LoadedModel:
    """The model cut off after so many layers, reading at most so many tokens."""
    positions = positions or loaded.max_tokens
    config = copy.deepcopy(loaded.model.config)
    config.num_hidden_layers = layers
    config.max_position_embeddings = positions
    model = type(loaded.model)(config)
    weights = loaded.model.state_dict()
    model.load_state_dict(
        {name: weights[name][: len(empty)] for name, empty in model.state_dict().items()}
    )
    model.eval().requires_grad_(False)
    return replace(
        adopt(model, {"input_ids": EXAMPLE}, loaded.tokenizer),
        title=f"{layers} layers of {loaded.title}",
        max_tokens=positions,
    )


def field_of_first(field: ModelField, loaded: LoadedModel) -> ModelField:
    """The part of the whole model's field that belongs to its first layers."""
    layers = loaded.layers
    return replace(
        field,
        model=loaded.name,
        fingerprint=loaded.fingerprint,
        heads=field.heads[:layers],
        temper=field.temper[:layers],
        tilt=field.tilt[:layers],
        curves=tuple(_cut(curves, layers) for curves in field.curves),
        own_curves=tuple(_cut(curves, layers) for curves in field.own_curves),
    )


def saved(loaded: LoadedModel, folder: Path) -> str:
    """The model as a folder that `load` and the commands take by its name."""
    loaded.model.save_pretrained(folder)
    loaded.tokenizer.save_pretrained(folder)
    return str(folder)


def _cut(curves: C, layers: int) -> C:
    return replace(
        curves,
        **{name: getattr(curves, name)[:layers] for name in PER_HEAD if hasattr(curves, name)},
    )
