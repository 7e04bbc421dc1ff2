"""The projection that brings the heads of an attention layer back into the residual stream."""

from __future__ import annotations

from torch import nn

NAMES = ("o_proj", "out_proj", "c_proj", "wo", "out_lin")
"""What families call it, where it is a part of the module that calls attention."""


def output_projection(module: nn.Module) -> tuple[str, nn.Module] | None:
    """Name and module; None where the attention module does not hold it."""
    for name in NAMES:
        found = getattr(module, name, None)
        if isinstance(found, nn.Module):
            return name, found
    return None
