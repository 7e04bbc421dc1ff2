"""Where the random numbers of an adaptation come from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Seeds:
    """Random numbers of one layer: a generator for each text and event, so that a run may begin
    anywhere.
    """

    seed: int
    layer: int

    def generator(self, group: int, number: int | str) -> torch.Generator:
        """The one of this head, and of this text or event."""
        named = f"{self.seed} {self.layer} {group} {number}".encode()
        seed = int.from_bytes(hashlib.sha256(named).digest()[:7], "little")
        return torch.Generator().manual_seed(seed)
