"""One head's splats as they are stored: positions and spreads rounded, frames in float32."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from hsa.field.quantised import Quantised, quantise, restore
from hsa.field.splat_field import SplatField

Precision = Literal["half", "int8"]


def as_stored(field: SplatField, precision: Precision = "half") -> SplatField:
    """The field as it comes back from disk: rounding included."""
    return unpack_head(pack_head(field, "", precision), "")


def pack_head(field: SplatField, prefix: str, precision: Precision) -> dict[str, Tensor]:
    """Tensors by name, each behind the prefix."""
    upper = torch.triu_indices(*field.frame.shape)
    splats = _half(field) if precision == "half" else _int8(field)
    return {f"{prefix}{name}": tensor for name, tensor in splats.items()} | {
        f"{prefix}frame": field.frame[upper[0], upper[1]],
        f"{prefix}log_amplitude": field.log_amplitude.half(),
        f"{prefix}level": field.level.to(torch.uint8),
        f"{prefix}parent": field.parent.to(torch.int16),
        f"{prefix}splat_id": field.splat_id.to(torch.int32),
    }


def _half(field: SplatField) -> dict[str, Tensor]:
    low, high = field.log_spread.min(), field.log_spread.max()
    step = ((high - low) / 255).clamp_min(1e-6)
    return {
        "position": field.position.half(),
        "log_spread": ((field.log_spread - low) / step).round().to(torch.uint8),
        "log_spread_scale": torch.stack([low, step]),
    }


def _int8(field: SplatField) -> dict[str, Tensor]:
    packed = {}
    for name in ("position", "log_spread"):
        quantised = quantise(getattr(field, name))
        packed[name] = quantised.code
        packed[f"{name}_scale"] = torch.stack([quantised.middle, quantised.step])
    return packed


def unpack_head(tensors: dict[str, Tensor], prefix: str) -> SplatField:
    """The head of these tensors."""
    position, log_spread = (_unpack(tensors, prefix + n) for n in ("position", "log_spread"))
    dim = position.shape[1]
    upper = torch.triu_indices(dim, dim)
    frame = torch.zeros(dim, dim)
    frame[upper[0], upper[1]] = tensors[f"{prefix}frame"]
    return SplatField(
        frame=frame + frame.triu(1).mT,
        position=position,
        log_spread=log_spread,
        log_amplitude=tensors[f"{prefix}log_amplitude"].float(),
        level=tensors[f"{prefix}level"].long(),
        parent=tensors[f"{prefix}parent"].long(),
        splat_id=tensors[f"{prefix}splat_id"].long(),
    )


def _unpack(tensors: dict[str, Tensor], name: str) -> Tensor:
    """Positions or spreads in float32, from however they are stored."""
    stored = tensors[name]
    if stored.dtype == torch.float16:
        return stored.float()
    start, step = tensors[f"{name}_scale"]
    if stored.dtype == torch.int8:
        return restore(Quantised(stored, start, step))
    return start + step * stored.float()
