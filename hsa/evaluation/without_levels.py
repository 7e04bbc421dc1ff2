"""What a head loses without its Sections, its Documents, or both, at the same reads."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from hsa.attention.baselines import opened_read, softmax_over
from hsa.attention.opening import Opening
from hsa.attention.reference import Answer, answer, openings
from hsa.attention.result import BlockCut, HSAResult
from hsa.attention.views import BlockView, FramedLayer, block_views
from hsa.evaluation.head_grid import answered_mass
from hsa.field.skipped_levels import without_levels
from hsa.field.splat_field import DOCUMENT, SECTION
from hsa.field.tree import opening_tree

VARIANTS: dict[str, tuple[int, ...]] = {
    "all levels": (),
    "without Documents": (DOCUMENT,),
    "without Sections": (SECTION,),
    "Phrases alone": (DOCUMENT, SECTION),
}
"""The levels switched off. The highest level left is where every query begins."""


@dataclass(frozen=True)
class LevelVariant:
    """One head over its queries with some levels switched off.

    Attributes:
        error: ‖Ô - O‖_F / ‖O‖_F against standard attention's outputs.
        opened_only_error: the same with the splats switched off: softmax over the near and
            opened tokens of the same cuts.
        mass: share of attention by what answers for it, as in ANSWERED_BY; mean over queries.
        reads: splats and far tokens evaluated per query; mean.
        raised_rows: queries whose reads do not suffice for the splats that stand highest, and were
            raised to their number.
    """

    name: str
    error: float
    opened_only_error: float
    mass: tuple[float, ...]
    reads: float
    raised_rows: int


@dataclass(frozen=True)
class LevelsCompared:
    """`variants` in the order of VARIANTS; `whole_rows` of the `queries` evaluated no splat."""

    variants: tuple[LevelVariant, ...]
    queries: int
    whole_rows: int

    def named(self, name: str) -> LevelVariant:
        """One of them."""
        return next(variant for variant in self.variants if variant.name == name)


def compare_levels(layer: FramedLayer, usual: HSAResult) -> LevelsCompared:
    """The reference run again over the same rows, once for each of VARIANTS.

    Every query may read what it read with all levels on, and a row that read all of its far keys
    does so in every variant; tempers and tilts stay those of each level, which were calibrated
    with all levels on.

    Args:
        layer: one head, as `into_layer` gives it.
        usual: what the reference made of it.
    """
    assert usual.output.shape[0] == 1, "one head at a time"
    walks: dict[str, list[dict[str, Tensor]]] = {name: [] for name in VARIANTS}
    for view, cut in zip(block_views(layer, usual.queries), usual.blocks, strict=True):
        visible = view.near | view.block.far
        wanted = softmax_over(view, visible.expand_as(view.logits)) @ layer.v
        for name, skipped in VARIANTS.items():
            walks[name].append(_block(*rerun(view, cut, skipped), cut, wanted))
    variants = tuple(_variant(name, parts) for name, parts in walks.items())
    whole = sum(int(cut.exact.sum()) for cut in usual.blocks)
    return LevelsCompared(variants, usual.queries.numel(), whole)


def rerun(
    view: BlockView, cut: BlockCut, skipped: Collection[int]
) -> tuple[BlockView, Opening, Answer]:
    """A block of one head with levels switched off, each row within the reads of its `cut`."""
    tree = without_levels(view.layer.tree, skipped)
    view = replace(
        view,
        layer=replace(view.layer, tree=tree),
        opening=opening_tree(tree, view.moments.count),
    )
    budget, exact = cut.reads.flatten(1, 2), cut.exact.flatten(1, 2)
    within = openings(view, budget.masked_fill(exact, 0)).until(budget)
    opening = within.reading_all(exact, int(view.block.far.sum()))
    field = view.layer.field
    return view, opening, answer(view, opening, exact, field.temper, field.tilt)


def _block(
    view: BlockView,
    opening: Opening,
    given: Answer,
    cut: BlockCut,
    wanted: Float[Tensor, "1 B V"],
) -> dict[str, Tensor]:
    """Sums of squares, and rows [B], of one block."""
    read = opened_read(view, opening, cut.exact.flatten(1, 2))
    opened = softmax_over(view, read) @ view.layer.v
    return {
        "difference": (given.output - wanted).double().square().sum(),
        "dropped": (opened - wanted).double().square().sum(),
        "wanted": wanted.double().square().sum(),
        "mass": answered_mass(view, given)[0],
        "reads": opening.reads[0],
        "raised": opening.raised[0],
    }


def _variant(name: str, parts: list[dict[str, Tensor]]) -> LevelVariant:
    def total(part: str) -> Tensor:
        return torch.stack([block[part] for block in parts]).sum()

    def rows(part: str) -> Tensor:
        return torch.cat([block[part] for block in parts])

    norm = total("wanted").sqrt().clamp_min(1e-30)
    return LevelVariant(
        name=name,
        error=float(total("difference").sqrt() / norm),
        opened_only_error=float(total("dropped").sqrt() / norm),
        mass=tuple(rows("mass").double().mean(0).tolist()),
        reads=float(rows("reads").double().mean()),
        raised_rows=int(rows("raised").sum()),
    )
