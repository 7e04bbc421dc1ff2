"""Token by token: what blocked HSA must remember of a text to read on in it.

Nothing is computed twice: a state holds the sums, the routing and the opening of the block
that is being written, and is never changed, so that beams can share and branch it. Keys and
values themselves stay in the model's cache.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hsa.attention.block_opening import (
    KeysByPhrase,
    by_phrase,
    choose,
    choosing_reads,
    rows_at,
)
from hsa.attention.block_plan import SINKS, BlockPlan
from hsa.attention.block_sums import SplatTable, carry_sums, no_block_sums, routed, splat_table
from hsa.attention.blocked import BlockedResult, attend_blocks
from hsa.attention.blocks import into_blocks
from hsa.attention.closed_splats import closed_splats
from hsa.attention.decode_answer import Near, Shared, answer_alone, answer_together, tokens_of_each
from hsa.attention.decode_tilt import CrossSums, Tilts, grown, no_cross_sums, tilts
from hsa.attention.masks import only
from hsa.attention.one_thread import one_thread
from hsa.attention.own_opening import open_alone
from hsa.errors import InputError
from hsa.field.frame import keys_into_frame
from hsa.field.layer_field import LayerField
from hsa.field.routing import Router, router
from hsa.field.splat_field import SECTION


@dataclass(frozen=True)
class Decoding:
    """One layer of one text after `tokens` tokens.

    Attributes:
        inverse: of the frames, which brings queries into them; `phrase_of` routes keys.
        own: far reads of each query of a head that opens for itself; 0 where it shares.
        scoring: scaled queries and queries in the frame that choose for the next block, of
            each block begun; `plan.scored` of a whole one.
        phrase: row of the Phrase of every key in the blocks that are far from `block`.
        block: the block whose opening is known; -1 before any.
        cross: of the splats that lean, where queries open for themselves.
    """

    field: LayerField
    plan: BlockPlan
    scaling: float
    inverse: Float[Tensor, "G D D"]
    phrase_of: Router
    own: tuple[int, ...]
    tokens: int
    scoring: tuple[Float[Tensor, "2 G R S D"], ...]
    phrase: Int[Tensor, "G P"]
    block: int
    sums: Float[Tensor, "G N F"]
    cross: CrossSums
    table: SplatTable | None
    sorted: KeysByPhrase | None
    shared: Shared | None
    tilts: Tilts | None

    def crop(self, tokens: int) -> Decoding:
        """The state after the first `tokens` tokens alone."""
        if tokens >= self.tokens:
            return self
        whole, rest = divmod(tokens, self.plan.block)
        there = rest // (self.plan.block // self.plan.scored)
        begun = tuple(part[:, :, :, :there] for part in self.scoring[whole : whole + 1])
        kept = replace(self, tokens=tokens, scoring=self.scoring[:whole] + begun)
        if tokens // self.plan.block >= self.block:
            return kept
        # Blocks that are far from an earlier block are a beginning of those known.
        return replace(
            kept,
            phrase=self.phrase[:, :0], block=-1, sums=torch.zeros_like(self.sums),
            cross=no_cross_sums(self.field, self.cross.sums.shape[2]),
            table=None, sorted=None, shared=None, tilts=None,
        )  # fmt: skip


def begin(
    field: LayerField, plan: BlockPlan, scaling: float, own: tuple[int, ...], value_dim: int
) -> Decoding:
    """The state of an empty text."""
    inverse = torch.linalg.inv(field.frame.double()).float()
    return Decoding(
        field, plan, scaling, inverse, router(field), own, 0, (),
        field.parent.new_zeros(field.groups, 0), -1, no_block_sums(field, value_dim),
        no_cross_sums(field, value_dim), None, None, None, None,
    )  # fmt: skip


def prefill(
    state: Decoding, q: Float[Tensor, "H T D"], k: Float[Tensor, "G T D"], v: Float[Tensor, "G T V"]
) -> tuple[BlockedResult, Decoding]:
    """Read a whole text in blocks, and be ready to go on.

    Raises:
        InputError: the state is not that of an empty text.
    """
    if state.tokens:
        raise InputError(
            "A text is read in blocks from its beginning",
            got=f"a state of {state.tokens} tokens",
            needed="the state of an empty text, as `begin` gives it",
            attempt="`step`, which goes on",
        )
    blocks = into_blocks(q, k, v, state.scaling, state.field, state.plan)
    result = attend_blocks(blocks, state.own)
    size = state.plan.block
    stride = size // state.plan.scored
    last = (blocks.tokens - 1) // size
    far = max(last - 1, 0) * size
    chosen = slice(stride - 1, blocks.tokens, stride)
    scoring = torch.stack([state.scaling * blocks.q[:, :, chosen], blocks.y[:, :, chosen]])
    scoring = scoring.split(state.plan.scored, dim=3)
    phrase = blocks.keys.phrase[:, :far].clone()
    return result, replace(state, tokens=blocks.tokens, scoring=scoring, phrase=phrase)


def step(
    state: Decoding, q: Float[Tensor, "H n D"], k: Float[Tensor, "G T D"], v: Float[Tensor, "G T V"]
) -> tuple[Float[Tensor, "G R n V"], Float[Tensor, "G R n"], Decoding]:
    """Outputs and far reads of the last n queries, and the state after them.

    Args:
        k, v: of the whole text so far, the n new tokens included.
    """
    if q.shape[1] == 1 and q.device.type == "cpu":
        with one_thread():
            return _step(state, q, k, v)
    return _step(state, q, k, v)


def _step(
    state: Decoding, q: Float[Tensor, "H n D"], k: Float[Tensor, "G T D"], v: Float[Tensor, "G T V"]
) -> tuple[Float[Tensor, "G R n V"], Float[Tensor, "G R n"], Decoding]:
    groups, total, dim = k.shape
    q = (q.float() * state.scaling).view(groups, -1, q.shape[1], dim)
    y = torch.bmm(q.flatten(1, 2), state.inverse.mT).view(q.shape)
    size, first = state.plan.block, total - q.shape[2]
    outputs, reads = [], []
    at = first
    while at < total:
        end = min(total, (at // size + 1) * size)
        rows = slice(at - first, end - first)
        state = _enter(state, at // size, k, v)
        output, read = _answer(state, q[:, :, rows], y[:, :, rows], k, v, at, end)
        state = _remember(state, q[:, :, rows], y[:, :, rows], at, end)
        outputs.append(output)
        reads.append(read)
        at = end
    if len(outputs) == 1:
        return outputs[0], reads[0], state
    return torch.cat(outputs, 2), torch.cat(reads, 2), state


def _remember(state: Decoding, q: Tensor, y: Tensor, begin: int, end: int) -> Decoding:
    stride = state.plan.block // state.plan.scored
    chosen = [at for at in range(end - begin) if (begin + at + 1) % stride == 0]
    if not chosen:
        return replace(state, tokens=end)
    scoring = torch.stack([q[:, :, chosen], y[:, :, chosen]])
    begun = state.scoring[: begin // state.plan.block]
    own = state.scoring[len(begun) :]
    return replace(state, tokens=end, scoring=(*begun, torch.cat([*own, scoring], dim=3)))


def _enter(state: Decoding, block: int, k: Tensor, v: Tensor) -> Decoding:
    """Bring sums, routing and opening to `block`: the keys before block - 1 are far from it."""
    if state.block == block:
        return state
    field, size = state.field, state.plan.block
    far = max(block - 1, 0) * size
    known = begin = max(state.block - 1, 0) * size
    sums, phrase, cross = state.sums, state.phrase, state.cross
    if known == 0 and state.block < 0:
        sums = torch.zeros_like(sums)
    while known < far:
        # A whole prompt at once when decoding begins; one block each time after that.
        part = slice(known, min(far, known + 4096))
        x = keys_into_frame(field.frame, k[:, part])
        if phrase.shape[1] < part.stop:
            row = state.phrase_of(x)
            number = torch.arange(part.start, part.stop, device=k.device)
            row = row.masked_fill(number < SINKS, field.position.shape[1])
            phrase = torch.cat([phrase, row[:, phrase.shape[1] - part.start :]], dim=1)
        keys = routed(field, x, phrase[:, part].masked_fill(phrase[:, part] == sums.shape[1], -1))
        sums = carry_sums(field, sums, keys, v[:, part].float(), 1, part.stop - part.start)[0]
        known = part.stop
    if any(state.own) and bool(field.tilt.any()):
        holds = (sums[..., 0] >= state.plan.tilted) & (field.level >= SECTION)
        cross = grown(field, cross, holds, phrase[:, :far], begin, k, v)
    state = replace(state, block=block, sums=sums, cross=cross, phrase=phrase[:, :far])
    return _open(state, k, v)


def _open(state: Decoding, k: Tensor, v: Tensor) -> Decoding:
    """Choose what the current block opens, by the scoring queries of the block before."""
    plan, block, field = state.plan, state.block, state.field
    table = splat_table(field, state.sums.unsqueeze(0))
    ordered = by_phrase(state.phrase, field.position.shape[1])
    leaning = tilts(field, table, state.cross) if state.cross.sums.numel() else None
    state = replace(state, table=table, sorted=ordered, shared=None, tilts=leaning)
    if block < 2 or all(state.own):
        return state
    size, stride = plan.block, plan.block // plan.scored
    q, y = state.scoring[block - 1]
    near = torch.cat([k[:, (block - 1) * size : block * size], k[:, :SINKS]], dim=1).float()
    logits = (q.flatten(1, 2) @ near.mT).unflatten(1, q.shape[1:3])
    position = torch.arange(size, device=q.device)
    later = position > position[stride - 1 :: stride].unsqueeze(1)
    logits[..., :size] = logits[..., :size].masked_fill(later, -torch.inf)
    opening = choose(field, table, ordered, y.unsqueeze(0), logits.logsumexp(-1).unsqueeze(0), plan)

    closed = closed_splats(field, table, opening, plan.closed_answer)

    def read(kept: Tensor, splats: Tensor) -> Tensor:
        tokens = torch.cat([kept[:, :SINKS], rows_at(kept, opening.token)[0]], dim=1)
        return torch.cat([tokens.float(), splats], dim=1)

    there = torch.nn.functional.pad(opening.token_there[0], (SINKS, 0), value=True)
    heads = q.shape[1]
    bias = only(there).unsqueeze(1).expand(-1, heads, -1)
    limit = closed.log_count[0].unsqueeze(1) + closed.weight[0]
    shared = Shared(
        read(k, closed.mean[0] @ state.inverse), read(v, closed.value[0]),
        torch.cat([bias, limit], -1), closed.variance[0],
        closed.weight[0].unsqueeze(2), opening.reads()[0] + choosing_reads(table, plan)[0],
    )  # fmt: skip
    return replace(state, shared=shared)


def _answer(
    state: Decoding, q: Tensor, y: Tensor, k: Tensor, v: Tensor, begin: int, end: int
) -> tuple[Float[Tensor, "G R n V"], Float[Tensor, "G R n"]]:
    """Outputs of queries begin … end-1, all of the current block."""
    near = max(state.block - 1, 0) * state.plan.block
    own = Near(k[:, near:end].float(), v[:, near:end].float(), None)
    if q.shape[2] > 1:
        number = torch.arange(near, end, device=q.device)
        later = number > torch.arange(begin, end, device=q.device).unsqueeze(1)
        later = torch.zeros(later.shape, device=q.device).masked_fill_(later, -torch.inf)
        own = replace(own, later=later)
    if state.block < 2 or state.shared is not None:
        output = answer_together(state.shared, q, y, own)
        read = q.new_zeros(q.shape[0]) if state.shared is None else state.shared.reads
        reads = read.view(-1, 1, 1).expand(q.shape[:3])
        if state.block < 2 or not any(state.own):
            return output, reads
        chosen = torch.tensor(state.own, device=q.device).view(*q.shape[:2], 1)
        alone, read = _alone(state, q, y, k, v, own)
        return alone.where(chosen.unsqueeze(-1) > 0, output), read.where(chosen > 0, reads)
    return _alone(state, q, y, k, v, own)


def _alone(
    state: Decoding, q: Tensor, y: Tensor, k: Tensor, v: Tensor, near: Near
) -> tuple[Float[Tensor, "G R n V"], Float[Tensor, "G R n"]]:
    assert state.table is not None and state.sorted is not None
    budget = torch.tensor(state.own, device=q.device).view(q.shape[:2])
    opening = open_alone(state.field, state.table, y.unsqueeze(0), budget, state.plan.tilted)
    bound = min(max(state.own), state.phrase.shape[1])
    opened = tokens_of_each(opening, state.table, state.sorted, bound)
    answers = state.plan.closed_answer
    leaning = state.tilts if answers else None
    return answer_alone(opening, opened, state.table, leaning, answers, q, y, k, v, near)
