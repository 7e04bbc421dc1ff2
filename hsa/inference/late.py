"""A text's state where HSA failed on its last tokens: what it must still read of them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from hsa.attention.block_plan import BlockPlan
from hsa.attention.decoding import Decoding, begin, prefill, step
from hsa.field.layer_field import LayerField


@dataclass(frozen=True)
class Late:
    """The last state that HSA reached, and the queries that came after it.

    Standard attention answered these; HSA reads them before it answers again, so that one
    failure does not shift what later queries open.
    """

    state: Decoding | None
    queries: Float[Tensor, "H n D"]

    @property
    def tokens(self) -> int:
        """Tokens of the text so far."""
        return (0 if self.state is None else self.state.tokens) + self.queries.shape[1]

    def crop(self, tokens: int) -> Late:
        """The same after the first `tokens` tokens alone."""
        known = 0 if self.state is None else self.state.tokens
        state = None if self.state is None else self.state.crop(min(tokens, known))
        return Late(state, self.queries[:, : max(tokens - known, 0)])

    def caught_up(
        self,
        k: Float[Tensor, "G T D"],
        v: Float[Tensor, "G T V"],
        scaling: float,
        field: LayerField,
        plan: BlockPlan,
        own: tuple[int, ...],
    ) -> Decoding:
        """The state after all tokens so far, whose keys and values come first in k and v."""
        state = self.state or begin(field, plan, scaling, own, v.shape[-1])
        if not self.queries.shape[1]:
            return state
        k, v = k[:, : self.tokens], v[:, : self.tokens]
        return (prefill if state.tokens == 0 else step)(state, self.queries, k, v)[-1]


def missed(state: Decoding | Late | None, queries: Float[Tensor, "H n D"]) -> Late:
    """The state after queries that HSA could not answer."""
    if isinstance(state, Late):
        return Late(state.state, torch.cat([state.queries, queries], dim=1))
    return Late(state, queries)
