"""Token by token: what blocked HSA must remember of a text to read on in it.

Nothing is computed twice: a state holds the sums, the routing and the opening of the block
that is being written, and is never changed, so that beams can share and branch it. Keys and
values themselves stay in the model's cache.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from hsa.attention.block_answer import closed_keys
from hsa.attention.block_opening import (
    LOG2_E,
    KeysByPhrase,
    by_phrase,
    choose,
    choosing_reads,
    level_weights,
    own_reads,
    rows_at,
    tokens_of,
)
from hsa.attention.block_plan import SINKS, BlockPlan
from hsa.attention.block_sums import SplatTable, carry_sums, no_block_sums, routed, splat_table
from hsa.attention.blocked import BlockedResult, attend_blocks
from hsa.attention.blocks import into_blocks
from hsa.attention.own_opening import open_alone
from hsa.errors import InputError
from hsa.field.frame import keys_into_frame, queries_into_frame
from hsa.field.layer_field import LayerField
from hsa.field.routing import route


@dataclass(frozen=True)
class Shared:
    """What all queries of the current block read beyond its own keys and those before it.

    `keys` are sinks and opened tokens, `splats` closed splats as keys of (y, y²); the values
    carry a last column that sums weights, zero where nothing is there. `reads` are those of
    one query, its share of choosing included.
    """

    keys: Float[Tensor, "G K D"]
    values: Float[Tensor, "G K V+1"]
    splats: Float[Tensor, "G R M 2D"]
    sums: Float[Tensor, "G M V+1"]
    reads: Float[Tensor, " G"]
    key_there: Bool[Tensor, "G 1 K"]
    splat_there: Bool[Tensor, "G 1 M"]


@dataclass(frozen=True)
class Decoding:
    """One layer of one text after `tokens` tokens.

    Attributes:
        own: far reads of each query of a head that opens for itself; 0 where it shares.
        scoring: scaled queries and queries in the frame that choose for the next block, of
            each block begun; `plan.scored` of a whole one.
        phrase: row of the Phrase of every key in the blocks that are far from `block`.
        block: the block whose opening is known; -1 before any.
    """

    field: LayerField
    plan: BlockPlan
    scaling: float
    own: tuple[int, ...]
    tokens: int
    scoring: tuple[Float[Tensor, "2 G R S D"], ...]
    phrase: Int[Tensor, "G P"]
    block: int
    sums: Float[Tensor, "G N F"]
    table: SplatTable | None
    sorted: KeysByPhrase | None
    shared: Shared | None

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
            table=None, sorted=None, shared=None,
        )  # fmt: skip


def begin(
    field: LayerField, plan: BlockPlan, scaling: float, own: tuple[int, ...], value_dim: int
) -> Decoding:
    """The state of an empty text."""
    return Decoding(
        field, plan, scaling, own, 0, (), field.parent.new_zeros(field.groups, 0), -1,
        no_block_sums(field, value_dim), None, None, None,
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
    groups, total, dim = k.shape
    q = (q.float() * state.scaling).view(groups, -1, q.shape[1], dim)
    y = queries_into_frame(state.field.frame, q, 1.0)
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
    return torch.cat(outputs, 2), torch.cat(reads, 2), state


def _remember(state: Decoding, q: Tensor, y: Tensor, begin: int, end: int) -> Decoding:
    stride = state.plan.block // state.plan.scored
    number = torch.arange(begin, end, device=q.device)
    chosen = torch.stack([q, y])[:, :, :, (number + 1) % stride == 0]
    begun = state.scoring[: begin // state.plan.block]
    own = state.scoring[len(begun) :]
    return replace(state, tokens=end, scoring=(*begun, torch.cat([*own, chosen], dim=3)))


def _enter(state: Decoding, block: int, k: Tensor, v: Tensor) -> Decoding:
    """Bring sums, routing and opening to `block`: the keys before block - 1 are far from it."""
    if state.block == block:
        return state
    field, size = state.field, state.plan.block
    far = max(block - 1, 0) * size
    known = max(state.block - 1, 0) * size
    sums, phrase = state.sums, state.phrase
    if known == 0 and state.block < 0:
        sums = torch.zeros_like(sums)
    while known < far:
        # A whole prompt at once when decoding begins; one block each time after that.
        part = slice(known, min(far, known + 4096))
        x = keys_into_frame(field.frame, k[:, part])
        if phrase.shape[1] < part.stop:
            row = route(x, field)
            number = torch.arange(part.start, part.stop, device=k.device)
            row = row.masked_fill(number < SINKS, field.position.shape[1])
            phrase = torch.cat([phrase, row[:, phrase.shape[1] - part.start :]], dim=1)
        keys = routed(field, x, phrase[:, part].masked_fill(phrase[:, part] == sums.shape[1], -1))
        sums = carry_sums(field, sums, keys, v[:, part].float(), 1, part.stop - part.start)[0]
        known = part.stop
    state = replace(state, block=block, sums=sums, phrase=phrase[:, :far])
    return _open(state, k, v)


def _open(state: Decoding, k: Tensor, v: Tensor) -> Decoding:
    """Choose what the current block opens, by the scoring queries of the block before."""
    plan, block, field = state.plan, state.block, state.field
    table = splat_table(field, state.sums.unsqueeze(0))
    ordered = by_phrase(state.phrase, field.position.shape[1])
    if block < 2 or all(state.own):
        return replace(state, table=table, sorted=ordered, shared=None)
    size, stride = plan.block, plan.block // plan.scored
    q, y = state.scoring[block - 1]
    near = torch.cat([k[:, (block - 1) * size : block * size], k[:, :SINKS]], dim=1).float()
    logits = (q.flatten(1, 2) @ near.mT).unflatten(1, q.shape[1:3])
    position = torch.arange(size, device=q.device)
    later = position > position[stride - 1 :: stride].unsqueeze(1)
    logits[..., :size] = logits[..., :size].masked_fill(later, -torch.inf)
    opening = choose(field, table, ordered, y.unsqueeze(0), logits.logsumexp(-1).unsqueeze(0), plan)

    there = opening.token_there[0].float().unsqueeze(2)
    one = torch.nn.functional.pad(there, (0, 0, SINKS, 0), value=1.0)

    def read(kept: Tensor) -> Tensor:
        return torch.cat([kept[:, :SINKS], rows_at(kept, opening.token)[0]], dim=1).float()

    splats, sums = closed_keys(table, opening, level_weights(field, 0.5 * field.temper))
    shared = Shared(
        LOG2_E * read(k), torch.cat([read(v) * one, one], -1),
        splats.unflatten(0, field.temper.shape[:2]), sums,
        opening.reads()[0] + choosing_reads(table, plan)[0],
        one.mT > 0, (opening.splat_there[0] & plan.closed_answer).unsqueeze(1),
    )  # fmt: skip
    return replace(state, table=table, sorted=ordered, shared=shared)


def _answer(
    state: Decoding, q: Tensor, y: Tensor, k: Tensor, v: Tensor, begin: int, end: int
) -> tuple[Float[Tensor, "G R n V"], Float[Tensor, "G R n"]]:
    """Outputs of queries begin … end-1, all of the current block."""
    groups, heads, many, _ = q.shape
    near = max(state.block - 1, 0) * state.plan.block
    number = torch.arange(near, end, device=q.device)
    later = number > torch.arange(begin, end, device=q.device).unsqueeze(1)
    rows = q.flatten(1, 2)
    logits = (LOG2_E * (rows @ k[:, near:end].float().mT)).unflatten(1, (heads, many))
    logits = logits.masked_fill(later, -torch.inf).flatten(1, 2)
    own_v = torch.nn.functional.pad(v[:, near:end].float(), (0, 1), value=1.0)
    if state.block < 2:
        output = (logits - logits.amax(-1, True)).exp2() @ own_v
        return _divided(output, heads), output.new_zeros(groups, heads, many)
    if state.shared is None:
        return _alone(state, q, y, k, v, logits.unflatten(1, (heads, many)), own_v)
    output, reads = _together(state.shared, rows, y, logits, own_v)
    if any(state.own):
        chosen = torch.tensor(state.own, device=q.device).view(groups, heads, 1)
        alone, read = _alone(state, q, y, k, v, logits.unflatten(1, (heads, many)), own_v)
        output = alone.where(chosen.unsqueeze(-1) > 0, output)
        reads = read.where(chosen > 0, reads)
    return output, reads


def _together(
    shared: Shared,
    rows: Float[Tensor, "G Rn D"],
    y: Float[Tensor, "G R n D"],
    logits: Float[Tensor, "G Rn L"],
    own_v: Float[Tensor, "G L V+1"],
) -> tuple[Float[Tensor, "G R n V"], Float[Tensor, "G R n"]]:
    """Every query reads what its block opened."""
    heads, many = y.shape[1:3]
    wide = LOG2_E * torch.cat([y, y * y], dim=-1)
    masses = (wide @ shared.splats.mT).flatten(1, 2).masked_fill(~shared.splat_there, -torch.inf)
    opened = (rows @ shared.keys.mT).masked_fill(~shared.key_there, -torch.inf)
    top = torch.stack([part.amax(-1, True) for part in (logits, opened, masses)]).amax(0)
    output = (
        (logits - top).exp2() @ own_v
        + (opened - top).exp2() @ shared.values
        + (masses - top).exp2() @ shared.sums
    )
    return _divided(output, heads), shared.reads.view(-1, 1, 1).expand(-1, heads, many)


def _divided(output: Float[Tensor, "G Rn V+1"], heads: int) -> Float[Tensor, "G R n V"]:
    return (output[..., :-1] / output[..., -1:]).unflatten(1, (heads, -1))


def _alone(
    state: Decoding,
    q: Float[Tensor, "G R n D"],
    y: Float[Tensor, "G R n D"],
    k: Float[Tensor, "G T D"],
    v: Float[Tensor, "G T V"],
    logits: Float[Tensor, "G R n L"],
    own_v: Float[Tensor, "G L V+1"],
) -> tuple[Float[Tensor, "G R n V"], Float[Tensor, "G R n"]]:
    """Every query opens for itself and gathers what it opened (all heads of the layer)."""
    table, ordered = state.table, state.sorted
    assert table is not None and ordered is not None
    groups, heads, many, _ = q.shape
    budget = torch.tensor(state.own, device=q.device).view(groups, heads)
    opening = open_alone(state.field, table, y.unsqueeze(0), budget)
    opened = opening.opened[0].permute(1, 2, 0, 3)
    most = max(int(own_reads(state.field, budget)[1].max()), 1)
    token, there = tokens_of(opened, table.count[0].long().expand(opened.shape), ordered, most)
    start = k.shape[1] * torch.arange(groups, device=k.device).view(1, 1, -1, 1)
    at = (token + start).movedim(2, 0).flatten()
    shape = (groups, heads, many, -1)

    def gathered(kept: Tensor) -> Tensor:
        return kept.flatten(0, 1).index_select(0, at).float().view(*shape[:3], -1, kept.shape[2])

    there = there.movedim(2, 0)
    far = LOG2_E * (gathered(k) @ q.unsqueeze(-1)).squeeze(-1)
    far = far.masked_fill(~there, -torch.inf)
    sinks = LOG2_E * (q @ k[:, None, :SINKS].float().mT)
    closed = opening.closed[0] & state.plan.closed_answer
    masses = (LOG2_E * opening.log_mass[0]).masked_fill(~closed, -torch.inf)
    top = torch.cat([far, sinks, masses, logits], -1).amax(-1, True)
    weight = [(part - top).exp2() for part in (logits, far, sinks, masses)]
    total = torch.stack([part.sum(-1) for part in weight]).sum(0).unsqueeze(-1)
    near = weight[0] @ own_v[:, None, :, :-1] + weight[2] @ v[:, None, :SINKS].float()
    output = near + (weight[1].unsqueeze(-2) @ gathered(v)).squeeze(-2)
    output = output + weight[3] @ table.value[0][:, None]
    return output / total, opening.reads(table.count)[0]
