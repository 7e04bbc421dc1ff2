"""What a warm-up keeps of a stream of captured batches: never the texts themselves."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from hsa.activations import Activations


@dataclass
class KeyReservoir:
    """A uniform sample of the keys seen so far, and the queries' second moment, of one layer.

    `moment` sums (scaling·q)(scaling·q)ᵀ over the queries of each key/value head's group.
    """

    keys_kept: int
    generator: torch.Generator
    skip: int = 0
    seen: int = 0
    queries: int = 0
    moment: Float[Tensor, "G D D"] | None = None
    keys: Float[Tensor, "G S D"] | None = field(default=None, repr=False)

    def add(self, activations: Activations) -> None:
        """Count one text. The first `skip` keys (sinks) and special tokens are left out."""
        q = (activations.scaling * activations.q).float()
        groups = activations.k.shape[0]
        q = q.reshape(groups, -1, q.shape[-1])
        moment = (q.mT @ q).double()
        self.moment = moment if self.moment is None else self.moment + moment
        self.queries += q.shape[1]

        ordinary = ~activations.near_special
        ordinary[: self.skip] = False
        keys = activations.k[:, ordinary]
        if self.keys is None:
            self.keys = keys.new_empty(groups, self.keys_kept, keys.shape[-1])
        number = self.seen + torch.arange(keys.shape[1])
        draw = torch.rand(keys.shape[1], generator=self.generator)
        slot = torch.where(
            number < self.keys_kept, number, (draw * (number + 1)).long()
        )  # Vitter's algorithm R: key n stays with probability S / (n + 1).
        kept = slot < self.keys_kept
        for index, place in zip(
            kept.nonzero().squeeze(1).tolist(), slot[kept].tolist(), strict=True
        ):
            self.keys[:, place] = keys[:, index]
        self.seen += keys.shape[1]

    def sample(self) -> Float[Tensor, "G S D"]:
        """The keys kept."""
        assert self.keys is not None, "add a text first"
        return self.keys[:, : min(self.seen, self.keys_kept)]

    def query_moment(self) -> Float[Tensor, "G D D"]:
        """M = E[(scaling·q)(scaling·q)ᵀ]."""
        assert self.moment is not None, "add a text first"
        return self.moment / self.queries
