"""A program that ends a forward pass when it is asked to, between two layers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from hsa.inference.hsa_program import HSAProgram
from hsa.models.program import AttentionCall


def never() -> bool:
    """Nobody asks to stop."""
    return False


class Stopped(Exception):
    """Raised out of a forward pass that nobody wants any more."""


@dataclass
class StoppableProgram(HSAProgram):
    """HSA that looks at `stopped` before every layer, so that a long prompt can be left."""

    stopped: Callable[[], bool] = never

    def __call__(self, call: AttentionCall) -> Float[Tensor, "B Tq H D"]:
        """Answer one layer's call.

        Raises:
            Stopped: `stopped()` said so.
        """
        if self.stopped():
            raise Stopped
        return super().__call__(call)
