"""The cut as sparse rows: what each query read and which splats answered it (design §6)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from hsa.attention.effective import CutRows, cut_rows
from hsa.attention.result import HSAResult
from hsa.attention.views import FramedLayer


@dataclass(frozen=True)
class SparseRows:
    """One head's rows in compressed form: row i holds entries start[i] to start[i + 1].

    Attributes:
        queries: position of each row's query.
        key: keys read as tokens, with their weight A_ij; `near` marks those always read.
        node, row, splat_id: closed splats, by node of the prompt's tree, row of the field and
            the id they keep for life; `level` is 0 Document, 1 Section, 2 Phrase.
        splat_weight: m_s / Z_i, what all the splat's keys receive together.
        splat_count: n_s, how many keys it answers for.
        log_z: log of each row's total mass.
    """

    head: int
    queries: Int[Tensor, " Q"]
    key_start: Int[Tensor, " Q+1"]
    key: Int[Tensor, " M"]
    key_weight: Float[Tensor, " M"]
    near: Bool[Tensor, " M"]
    splat_start: Int[Tensor, " Q+1"]
    node: Int[Tensor, " S"]
    row: Int[Tensor, " S"]
    splat_id: Int[Tensor, " S"]
    level: Int[Tensor, " S"]
    splat_weight: Float[Tensor, " S"]
    splat_count: Float[Tensor, " S"]
    log_z: Float[Tensor, " Q"]


def sparse_rows(
    result: HSAResult,
    layer: FramedLayer,
    head: int,
    queries: Int[Tensor, " Q"] | Sequence[int] | None = None,
) -> SparseRows:
    """The rows of one head, in the order in which its queries were asked for."""
    blocks = list(cut_rows(result, layer, head, queries))
    ids = layer.field.splat_id[head // layer.y.shape[1]].cpu()

    def collect(per_block: Callable[[CutRows], Tensor]) -> Tensor:
        return torch.cat([per_block(cut) for cut in blocks])

    place = collect(lambda cut: cut.place)
    in_order = place.argsort()
    key_start, key_order = _compress(collect(lambda cut: _row_of_entry(cut, cut.read)), place)
    splat_start, splat_order = _compress(collect(lambda cut: _row_of_entry(cut, cut.closed)), place)
    node = collect(lambda cut: cut.closed.nonzero()[:, 1])[splat_order]
    tree = blocks[0]
    return SparseRows(
        head=head,
        queries=collect(lambda cut: cut.queries)[in_order],
        key_start=key_start,
        key=collect(lambda cut: cut.read.nonzero()[:, 1])[key_order],
        key_weight=collect(lambda cut: _share(cut.logits, cut)[cut.read])[key_order],
        near=collect(lambda cut: cut.near[cut.read])[key_order],
        splat_start=splat_start,
        node=node,
        row=tree.row[node],
        splat_id=ids[tree.row[node]],
        level=tree.level[node],
        splat_weight=collect(lambda cut: _share(cut.log_mass, cut)[cut.closed])[splat_order],
        splat_count=collect(lambda cut: cut.count.expand_as(cut.closed)[cut.closed])[splat_order],
        log_z=collect(lambda cut: cut.log_z)[in_order],
    )


def _share(log_mass: Float[Tensor, "Q N"], cut: CutRows) -> Float[Tensor, "Q N"]:
    return (log_mass - cut.log_z.unsqueeze(1)).exp()


def _row_of_entry(cut: CutRows, chosen: Bool[Tensor, "Q N"]) -> Int[Tensor, " E"]:
    return cut.place[chosen.nonzero()[:, 0]]


def _compress(
    row_of_entry: Int[Tensor, " E"], place: Int[Tensor, " Q"]
) -> tuple[Int[Tensor, " Q+1"], Int[Tensor, " E"]]:
    """Where each row starts, and the order that brings the entries of all blocks there."""
    start = torch.zeros(place.numel() + 1, dtype=torch.long)
    start[1:] = row_of_entry.bincount(minlength=place.numel()).cumsum(0)
    return start, row_of_entry.argsort(stable=True)
