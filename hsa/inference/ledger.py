"""What a run cost and what went wrong in it: reads, seconds, notices."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

LOG = logging.getLogger("hsa.inference")

NOTICES_KEPT = 200


@dataclass(frozen=True)
class Notice:
    """Something that a visitor must be told: a fallback or an adjustment.

    `head` is None where it concerns the whole layer.
    """

    kind: str
    layer: int
    head: int | None
    message: str


@dataclass
class Ledger:
    """Counts of one run; it is filled while the run goes on.

    `reads` and `keys` are sums over queries of each layer and head: keys and splats that were
    read (near, closed splats, opened tokens), and keys that standard attention would read.
    """

    layers: int
    heads: int
    reads: Float[Tensor, "L H"] = field(init=False)
    keys: Float[Tensor, "L H"] = field(init=False)
    queries: Float[Tensor, " L"] = field(init=False)
    seconds: float = 0.0
    fallbacks: int = 0
    adjustments: int = 0
    notices: list[Notice] = field(default_factory=list)
    tell: Callable[[Notice], None] | None = None

    def __post_init__(self) -> None:
        self.reads = torch.zeros(self.layers, self.heads, dtype=torch.float64)
        self.keys = torch.zeros(self.layers, self.heads, dtype=torch.float64)
        self.queries = torch.zeros(self.layers, dtype=torch.float64)
        self._error = torch.zeros(self.layers, self.heads, dtype=torch.float64)
        self._checks = torch.zeros(self.layers, dtype=torch.float64)

    def read(
        self, layer: int, reads: Float[Tensor, " H"], keys: Float[Tensor, " H"], queries: int
    ) -> None:
        """Add one call's sums over its queries."""
        self.reads[layer] += reads.detach().double().cpu()
        self.keys[layer] += keys.detach().double().cpu()
        self.queries[layer] += queries

    def checked(self, layer: int, error: Float[Tensor, " H"]) -> None:
        """Add the relative output errors of a layer's heads on checked queries."""
        # What is not finite counts as entirely wrong.
        self._error[layer] += error.double().cpu().nan_to_num(1.0, 1.0, 1.0)
        self._checks[layer] += 1

    def checked_error(self) -> Float[Tensor, "L H"]:
        """Mean relative output error on checked queries; 0 where none was checked."""
        return (self._error / self._checks.clamp_min(1).unsqueeze(1)).float()

    def fell_back(self, layer: int, head: int | None, message: str) -> None:
        """Standard attention answered in place of HSA: counted, logged and told."""
        self.fallbacks += 1
        self._note(Notice("fallback", layer, head, message))

    def adjusted(self, layer: int, head: int, message: str) -> None:
        """A head runs differently from now on because of repeated trouble."""
        self.adjustments += 1
        self._note(Notice("adjustment", layer, head, message))

    def _note(self, notice: Notice) -> None:
        LOG.warning("%s in layer %s head %s: %s", notice.kind, notice.layer, notice.head,
                    notice.message)  # fmt: skip
        if len(self.notices) < NOTICES_KEPT:
            self.notices.append(notice)
        if self.tell is not None:
            self.tell(notice)

    @property
    def share_read(self) -> float:
        """Reads as a share of what standard attention reads, over all heads and queries."""
        return float(self.reads.sum() / self.keys.sum().clamp_min(1))

    @property
    def mean_reads(self) -> float:
        """Everything read per query, mean over layers and heads."""
        done = self.queries > 0
        if not bool(done.any()):
            return 0.0
        return float((self.reads[done] / self.queries[done].unsqueeze(1)).mean())
