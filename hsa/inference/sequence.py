"""One sequence of a layer's call: its queries answered by HSA, and what they read."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from hsa.attention.block_plan import BlockPlan
from hsa.attention.blocked import BlockedResult, blocked_attention
from hsa.attention.decoding import Decoding, begin, prefill, step
from hsa.errors import ModelError
from hsa.field.layer_field import LayerField
from hsa.inference.late import Late


@dataclass(frozen=True)
class Sequence:
    """The last n queries of a text of T tokens, and the keys and values of all of it.

    `rows` are the queries' places in the call, which may hold padding.
    """

    layer: int
    rows: slice
    q: Float[Tensor, "H n D"]
    k: Float[Tensor, "G T D"]
    v: Float[Tensor, "G T V"]
    scaling: float
    causal: bool

    @property
    def before(self) -> int:
        """Tokens before the first of the queries."""
        return self.k.shape[1] - self.q.shape[1]


@dataclass(frozen=True)
class Answered:
    """Outputs, sums over the queries of what they read and could have read, and the state."""

    output: Float[Tensor, "H n V"]
    reads: Float[Tensor, " H"]
    keys: Float[Tensor, " H"]
    state: Decoding | None = None


def answer(
    text: Sequence,
    field: LayerField,
    plan: BlockPlan,
    own: tuple[int, ...],
    state: Decoding | Late | None,
    keep: bool,
) -> Answered:
    """Answer a sequence's queries, reading on from `state` where there are tokens before them.

    Args:
        own: far reads of each query of a head; 0 where it shares what its block opens.
        keep: a cache is there to carry the state.

    Raises:
        ModelError: HSA has not read the tokens before these queries.
    """
    tokens = text.k.shape[1]
    plan = replace(plan, causal=text.causal)
    positions = torch.arange(text.before, tokens)
    near = plan.near_read(positions, tokens).sum()
    keys = (positions + 1).sum() if text.causal else torch.tensor(tokens * tokens)
    if text.before == 0:
        after = None
        if keep and text.causal:
            empty = begin(field, plan, text.scaling, own, text.v.shape[-1])
            result, after = prefill(empty, text.q, text.k, text.v)
        else:
            result = blocked_attention(text.q, text.k, text.v, text.scaling, field, plan, own)
        output, far = result.output, _far_reads(result, plan, own, tokens)
    else:
        if state is None or state.tokens != text.before:
            raise ModelError(
                "This cache was not filled by HSA",
                got=f"{text.before} tokens in the cache, "
                f"{0 if state is None else state.tokens} of them read by HSA",
                needed="a cache of `splat_cache`, given to the program, from the first token on",
                attempt="begin the text anew",
            )
        if isinstance(state, Late):
            state = state.caught_up(text.k, text.v, text.scaling, field, plan, own)
        output, reads, after = step(replace(state, own=own, field=field), text.q, text.k, text.v)
        far = reads.sum(-1).flatten().cpu()
    return Answered(output.flatten(0, 1), far + near, keys.expand_as(far), after)


def _far_reads(
    result: BlockedResult, plan: BlockPlan, own: tuple[int, ...], tokens: int
) -> Float[Tensor, " H"]:
    """Sums over all queries of a text; only heads that share pay for choosing."""
    weight = (torch.arange(result.reads.shape[0]) * plan.block).neg().add(tokens)
    weight = weight.clamp_max(plan.block)
    shares = torch.tensor(own).view(result.reads.shape[1:]) == 0
    far = result.reads + result.choosing.unsqueeze(2) * shares.to(result.reads.device)
    return (far.cpu() * weight[:, None, None]).sum(0).flatten()


def exact_rows(text: Sequence, rows: list[int]) -> Float[Tensor, "H c V"]:
    """Standard attention's outputs of some of the queries."""
    heads, groups = text.q.shape[0], text.k.shape[0]
    picked = text.q[:, rows].float().reshape(groups, -1, len(rows), text.q.shape[2])
    logits = text.scaling * (picked @ text.k.float().unsqueeze(1).mT)
    if text.causal:
        last = text.before + torch.tensor(rows, device=text.q.device).unsqueeze(1)
        later = torch.arange(text.k.shape[1], device=text.q.device) > last
        logits = logits.masked_fill(later, -torch.inf)
    return (logits.softmax(-1) @ text.v.float().unsqueeze(1)).view(heads, len(rows), -1)
