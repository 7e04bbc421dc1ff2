"""What a block of queries opens: in a causal text by queries of the block before, not its own."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from hsa.attention.block_plan import BlockPlan
from hsa.attention.block_sums import SplatTable
from hsa.attention.tails import bounded
from hsa.field.layer_field import LayerField
from hsa.field.splat_field import PHRASE, SECTION

LOG2_E = 1 / math.log(2)
"""Masses are powers of two of logs in bits: exp slows down tenfold below e^-87, exp2 not."""

BESIDE = 32
"""Phrases that stand in line for what those before them leave, beyond the most that can open."""


@dataclass(frozen=True)
class SharedOpening:
    """The cut that all queries of a block share, one per key/value head.

    Sections are opened into Phrases, Phrases into tokens; Documents are open. `splat` are the
    closed splats and `token` the far keys read, both padded; the masks tell what is there.
    """

    splat: Int[Tensor, "B G M"]
    splat_there: Bool[Tensor, "B G M"]
    token: Int[Tensor, "B G K"]
    token_there: Bool[Tensor, "B G K"]

    def reads(self) -> Int[Tensor, "B G"]:
        """Closed splats and far tokens that each query of a block reads."""
        return self.splat_there.sum(-1) + self.token_there.sum(-1)


@dataclass(frozen=True)
class KeysByPhrase:
    """Key numbers sorted by Phrase, in the order of the text within each; where each begins."""

    order: Int[Tensor, "G T"]
    start: Int[Tensor, "G N"]
    size: Int[Tensor, "G N"]


def by_phrase(phrase: Int[Tensor, "G T"], splats: int) -> KeysByPhrase:
    """Sort keys by their Phrase's row; row `splats` (in no splat) comes last."""
    groups, tokens = phrase.shape
    count = torch.zeros(groups, splats + 1, dtype=torch.int64, device=phrase.device)
    count.scatter_add_(1, phrase, torch.ones_like(phrase))
    # One row of 32-bit numbers is sorted by radix, eight times as fast as rows of 64.
    group = torch.arange(groups, device=phrase.device).unsqueeze(1)
    place = (phrase + (splats + 1) * group).to(torch.int32).flatten().sort(stable=True).indices
    return KeysByPhrase(
        order=place.view(groups, tokens) - tokens * group,
        start=(count.cumsum(1) - count)[:, :splats],
        size=count[:, :splats],
    )


def choose(
    field: LayerField,
    table: SplatTable,
    keys: KeysByPhrase,
    y: Float[Tensor, "B G R S D"],
    log_near: Float[Tensor, "B G R S"],
    plan: BlockPlan,
) -> SharedOpening:
    """Open what the scoring queries expect to err most on, per read.

    A closed splat's error for a query is m·√u·√tr Var(v) / Z (design §6); over the queries it
    counts as root mean square.

    Args:
        y: scoring queries in the frame.
        log_near: log mass of the near keys that each of them reads.
    """
    error = _expected_error(field, table, y, log_near) * table.value_spread
    splats = slots(field, plan.splats)
    log_error = error.clamp_min(1e-30).log()
    closed, opened = cut(field, table.count, log_error, splats, plan.tokens)
    splat, splat_there = listed(closed, splats)
    token, token_there = tokens_of(opened, table, keys, plan.tokens)
    return SharedOpening(splat, splat_there, token, token_there)


def choosing_reads(table: SplatTable, plan: BlockPlan) -> Float[Tensor, "B G"]:
    """Splats that scoring queries evaluate for a block, per query of the block."""
    there = (table.count > 0).sum(-1)
    return there.to(table.count.dtype) * plan.scored / plan.block


def slots(field: LayerField, splats: int) -> int:
    """Closed splats that a cut may hold: the wish, raised to the number of Sections."""
    return max(splats, int((field.level == SECTION).sum(1).max()))


def cut(
    field: LayerField,
    count: Float[Tensor, "... G N"],
    log_error: Float[Tensor, "... G N"],
    splats: int | Tensor,
    tokens: int | Tensor,
) -> tuple[Bool[Tensor, "... G N"], Bool[Tensor, "... G N"]]:
    """Closed splats and opened Phrases: largest expected error per read first.

    Sections open as far as `splats` closed ones go, then their Phrases as far as `tokens` go;
    Documents are always open.
    """
    sections = ((field.level == SECTION) & (count > 0)).sum(-1, keepdim=True)
    more = non_empty_children(field, count) - 1
    split = split_sections(field, count, log_error, more, splats - sections)
    opened = open_phrases(field, count, log_error, split, tokens, tokens // 2 + BESIDE)
    return closed_under(field, count, split, opened), opened


def split_sections(
    field: LayerField,
    count: Float[Tensor, "... G N"],
    log_error: Float[Tensor, "... G N"],
    price: Float[Tensor, "... G N"],
    budget: Tensor,
) -> Bool[Tensor, "... G N"]:
    """Sections that open, each at its price."""
    sections = (field.level == SECTION) & (count > 0)
    priority = log_error - non_empty_children(field, count).clamp_min(1).log()
    return _open_within(priority, price, sections, budget, slots(field, 0))


def open_phrases(
    field: LayerField,
    count: Float[Tensor, "... G N"],
    log_error: Float[Tensor, "... G N"],
    split: Bool[Tensor, "... G N"],
    tokens: int | Tensor,
    line: int | Tensor,
) -> Bool[Tensor, "... G N"]:
    """Phrases of split Sections that open, as far as `tokens` go.

    A Phrase of one token stays closed, for its splat says all that it does; of the others no
    more than half as many as tokens can open, and few more stand in `line`.
    """
    priority = log_error - count.clamp_min(1).log()
    may = _revealed(field, count, split) & (count > 1)
    return _open_within(priority, count, may, tokens, line)


def closed_under(
    field: LayerField,
    count: Float[Tensor, "... G N"],
    split: Bool[Tensor, "... G N"],
    opened: Bool[Tensor, "... G N"],
) -> Bool[Tensor, "... G N"]:
    """What stays closed: Sections that are not split, and Phrases of the others."""
    sections = (field.level == SECTION) & (count > 0)
    return (sections & ~split) | (_revealed(field, count, split) & ~opened)


def _revealed(
    field: LayerField, count: Float[Tensor, "... G N"], split: Bool[Tensor, "... G N"]
) -> Bool[Tensor, "... G N"]:
    phrases = (field.level == PHRASE) & (count > 0)
    return phrases & split.gather(-1, field.parent.clamp_min(0).expand(count.shape))


def non_empty_children(
    field: LayerField, count: Float[Tensor, "... G N"]
) -> Float[Tensor, "... G N"]:
    """How many non-empty Phrases each Section has."""
    below = ((count > 0) & (field.level == PHRASE)).to(count.dtype)
    parent = field.parent.clamp_min(0).expand(count.shape)
    return torch.zeros_like(count).scatter_add(-1, parent, below)


def _expected_error(
    field: LayerField,
    table: SplatTable,
    y: Float[Tensor, "B G R S D"],
    log_near: Float[Tensor, "B G R S"],
) -> Float[Tensor, "B G N"]:
    """Root mean square over the queries of m·√u / Z; Z from the near keys and all Phrases."""
    many, groups, heads, scored, _ = y.shape
    rows = y.flatten(2, 3).flatten(0, 1)
    log_count = table.count.log2()
    spread = torch.bmm(rows * rows, table.variance.flatten(0, 1).mT)
    log_mass = torch.baddbmm(
        log_count.flatten(0, 1).unsqueeze(1), LOG2_E * rows, table.mean.flatten(0, 1).mT
    ).view(many, groups, heads, scored, -1)
    spread = spread.view(log_mass.shape)
    temper = field.per_splat(0.5 * LOG2_E * field.temper).unsqueeze(2)
    log_mass = log_mass.addcmul_(temper, bounded(spread))
    # A coarse splat's mass with τ = 1 can stand 2^130 above the row's own; 2^90 says enough.
    mass = log_mass.sub_(LOG2_E * log_near.unsqueeze(-1)).clamp_max_(90.0).exp2_()
    phrase = (field.level == PHRASE).to(mass.dtype)[None, :, None, :, None]
    share = mass.div_(1.0 + mass @ phrase).clamp_max_(1.0)
    return share.square_().mul_(spread).mean((2, 3)).sqrt()


def _open_within(
    priority: Float[Tensor, "... N"],
    cost: Float[Tensor, "... N"],
    may: Bool[Tensor, "... N"],
    budget: int | Tensor,
    line: int | Tensor,
) -> Bool[Tensor, "... N"]:
    """Open by falling priority what fits; what is free opens anyway.

    Twice: what is left when something dear does not fit goes to what comes after it and fits.

    Args:
        line: only so many of the highest priority are looked at.
    """
    price = cost.clamp_min(0).where(may, 0.0)
    priority = priority.masked_fill(price == 0, torch.inf).masked_fill(~may, -torch.inf)
    longest = int(line.max()) if isinstance(line, Tensor) else line
    order = priority.topk(min(longest, priority.shape[-1]), dim=-1).indices
    price = price.gather(-1, order)
    if isinstance(line, Tensor):
        outside = torch.arange(order.shape[-1], device=order.device) >= line
        price = price.masked_fill(outside, torch.finfo(price.dtype).max)
    fits = price.cumsum(-1) <= budget
    left = budget - (price * fits).sum(-1, keepdim=True)
    second = price.where(~fits & (price <= left), 0.0)
    fits = fits | ((second > 0) & (second.cumsum(-1) <= left))
    return torch.zeros_like(may).scatter(-1, order, fits) & may


def listed(
    chosen: Bool[Tensor, "... N"], most: int
) -> tuple[Int[Tensor, "... M"], Bool[Tensor, "... M"]]:
    """The numbers of the chosen, padded to the most that there can be."""
    most = min(most, chosen.shape[-1])
    place = (chosen.cumsum(-1) - 1).where(chosen, most).clamp_max(most)
    number = torch.arange(chosen.shape[-1], device=chosen.device).expand_as(place)
    found = place.new_full((*chosen.shape[:-1], most + 1), -1).scatter(-1, place, number)
    found = found[..., :most]
    return found.clamp_min(0), found >= 0


def tokens_of(
    opened: Bool[Tensor, "... G N"], table: SplatTable, keys: KeysByPhrase, most: int
) -> tuple[Int[Tensor, "... G K"], Bool[Tensor, "... G K"]]:
    """The far keys of the opened Phrases, each in the order of the text."""
    own = table.count.long().where(opened, 0)
    end = own.cumsum(-1)
    slot = torch.arange(most, device=own.device).expand(*own.shape[:-1], most).contiguous()
    phrase = torch.searchsorted(end, slot, right=True)
    there = phrase < own.shape[-1]
    phrase = phrase.clamp_max(own.shape[-1] - 1)
    within = slot - (end - own).gather(-1, phrase)
    if table.before is not None:
        # Between a Phrase's far keys before and after a block stand its near ones.
        near = keys.size - table.count.long()
        beyond = within >= table.before.long().expand_as(own).gather(-1, phrase)
        within = within + near.expand_as(own).gather(-1, phrase).where(beyond, 0)
    at = (keys.start.expand_as(own).gather(-1, phrase) + within).where(there, 0)
    order = keys.order.expand(*own.shape[:-1], -1)
    return order.gather(-1, at), there


def rows_at(kept: Float[Tensor, "G T F"], at: Int[Tensor, "B G K"]) -> Float[Tensor, "B G K F"]:
    """Rows `at` of each group, which need not lie beside the next one's."""
    parts = [torch.nn.functional.embedding(at[:, g], rows) for g, rows in enumerate(kept)]
    return torch.stack(parts, dim=1)
