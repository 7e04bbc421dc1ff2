"""The effective attention weights of HSA: what a cut means token by token (design §6)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from hsa.attention.result import BlockCut, HSAResult
from hsa.attention.views import FramedLayer
from hsa.errors import InputError
from hsa.field.splat_field import PHRASE
from hsa.field.tree import PromptTree


@dataclass(frozen=True)
class CutRows:
    """The cuts of some queries of one head that share their far keys, on the CPU in float64.

    C nodes and their `level`, `parent` and `row` in the field are those of the head's own tree.

    Attributes:
        place: where these rows stand among the queries asked for.
        near: keys always read as tokens; `far` are all others that the queries may see.
        read: keys read as tokens: near, or far and opened.
        answered_by: node of the closed splat that answers for a key, -1 for every other key.
        whole: rows that read all their far keys and evaluated no splat.
        logits: scaling · q·k.
        log_mass: log m_s(y) of closed splats, -inf elsewhere.
        tilt: θ_s(y) of closed splats as used, zero elsewhere.
        lean: y·(x_j - x̄_s) of a key under a closed splat, zero elsewhere.
        log_z: log of the row's total mass, as the engine has it.
        output: o_i, as the engine has it.
    """

    head: int
    queries: Int[Tensor, " Q"]
    place: Int[Tensor, " Q"]
    level: Int[Tensor, " C"]
    parent: Int[Tensor, " C"]
    row: Int[Tensor, " C"]
    key_node: Int[Tensor, "T 3"]
    count: Float[Tensor, " C"]
    near: Bool[Tensor, "Q T"]
    far: Bool[Tensor, " T"]
    read: Bool[Tensor, "Q T"]
    closed: Bool[Tensor, "Q C"]
    opened: Bool[Tensor, "Q C"]
    answered_by: Int[Tensor, "Q T"]
    whole: Bool[Tensor, " Q"]
    raised: Bool[Tensor, " Q"]
    reads: Int[Tensor, " Q"]
    logits: Float[Tensor, "Q T"]
    log_mass: Float[Tensor, "Q C"]
    tilt: Float[Tensor, "Q C"]
    lean: Float[Tensor, "Q T"]
    log_z: Float[Tensor, " Q"]
    v: Float[Tensor, "T V"]
    output: Float[Tensor, "Q V"]

    @property
    def visible(self) -> Bool[Tensor, "Q T"]:
        """Keys that each query may see."""
        return self.near | self.far

    def log_token_mass(self) -> Float[Tensor, "Q T"]:
        """Untilted log mass of every key: its own, or m_s / n_s under a closed splat s."""
        node = self.answered_by.clamp_min(0)
        below = self.log_mass.gather(1, node) - self.count.log()[node]
        answered = torch.where(self.answered_by >= 0, below, -torch.inf)
        return torch.where(self.read, self.logits, answered)

    def tilt_factor(self) -> Float[Tensor, "Q T"]:
        """1 + θ_s·y·(x_j - x̄_s); one for tokens that were read."""
        return 1 + self.tilt.gather(1, self.answered_by.clamp_min(0)) * self.lean

    def weights(self) -> Float[Tensor, "Q T"]:
        """A_ij of design §6."""
        return (self.log_token_mass() - self.log_z.unsqueeze(1)).exp() * self.tilt_factor()


def cut_rows(
    result: HSAResult,
    layer: FramedLayer,
    head: int,
    queries: Int[Tensor, " Q"] | Sequence[int] | None = None,
) -> Iterator[CutRows]:
    """The cuts of one head, block by block.

    Args:
        layer: what `result` was computed from, by `into_layer`.
        head: counted within the result.
        queries: positions; all that the result holds, unless told otherwise.

    Raises:
        InputError: a head or a query that the result does not hold.
    """
    groups, heads = layer.y.shape[:2]
    if not 0 <= head < groups * heads:
        raise InputError(
            "There is no such head here", got=head, needed=f"0 to {groups * heads - 1}"
        )
    assert torch.equal(result.tree.key_node, layer.tree.key_node), "result of another layer"
    group, member = divmod(head, heads)
    place = _places(result, queries)
    tree = _own_tree(result.tree, group)
    for block in result.blocks:
        mine = (place[block.queries.cpu()] >= 0).nonzero().squeeze(1)
        if mine.numel():
            yield _block_rows(result, layer, tree, block, (group, member, head), mine, place)


def effective_weights(
    result: HSAResult,
    layer: FramedLayer,
    heads: Sequence[int] | None = None,
    queries: Int[Tensor, " Q"] | Sequence[int] | None = None,
) -> Float[Tensor, "H Q T"]:
    """Dense A, a row for every query: float32, computed in float64 a block at a time."""
    chosen = range(result.output.shape[0]) if heads is None else heads
    rows = len(result.queries if queries is None else queries)
    dense = torch.zeros(len(chosen), rows, layer.k.shape[1])
    for at, head in enumerate(chosen):
        for cut in cut_rows(result, layer, head, queries):
            dense[at, cut.place] = cut.weights().float()
    return dense


@dataclass(frozen=True)
class _OwnTree:
    level: Int[Tensor, " C"]
    parent: Int[Tensor, " C"]
    row: Int[Tensor, " C"]
    key_node: Int[Tensor, "T 3"]
    used: Int[Tensor, " C"]


def _own_tree(tree: PromptTree, group: int) -> _OwnTree:
    """One head's nodes without the padding, which stands last and holds no key.

    Nodes of a level that is switched off hold keys too, and are never closed.
    """
    used = torch.arange(int(tree.key_node[group].max()) + 1, device=tree.row.device)
    return _OwnTree(
        tree.level[group, used].cpu(),
        tree.parent[group, used].cpu(),
        tree.row[group, used].cpu(),
        tree.key_node[group].cpu(),
        used,
    )


def _places(
    result: HSAResult, queries: Int[Tensor, " Q"] | Sequence[int] | None
) -> Int[Tensor, " T"]:
    """Of every position, its place among the queries asked for; -1 if it is not asked for."""
    place = torch.full((result.tree.key_node.shape[1],), -1)
    held = result.queries.cpu()
    asked = held if queries is None else torch.as_tensor(queries, dtype=torch.long).cpu()
    missing = asked[~torch.isin(asked, held)]
    if missing.numel():
        raise InputError(
            "HSA was not computed for this query",
            got=f"position {int(missing[0])}",
            needed=f"one of the {held.numel()} positions computed",
            attempt="choose another query, or compute this one too",
        )
    place[asked] = torch.arange(asked.numel())
    return place


def _block_rows(
    result: HSAResult,
    layer: FramedLayer,
    tree: _OwnTree,
    block: BlockCut,
    which: tuple[int, int, int],
    mine: Int[Tensor, " Q"],
    place: Int[Tensor, " T"],
) -> CutRows:
    group, member, head = which

    def exact(tensor: Tensor) -> Tensor:
        return tensor.cpu().double()

    def per_node(tensor: Tensor) -> Tensor:
        return tensor[group, member][mine][:, tree.used].cpu()

    positions = block.queries[mine]
    queries, far = positions.cpu(), block.far.cpu()
    order = torch.full_like(place, -1)
    order[result.queries.cpu()] = torch.arange(result.queries.numel())
    tokens = torch.arange(far.numel())
    seen = (tokens <= queries.unsqueeze(1)) | (not result.causal)
    near = seen & ~far
    closed, opened = per_node(block.closed), per_node(block.opened)
    whole = block.exact[group, member, mine].cpu()
    read = near | (far & (opened[:, tree.key_node[:, PHRASE]] | whole.unsqueeze(1)))

    q, y = exact(layer.q[group, member, positions]), exact(layer.y[group, member, positions])
    k, x, mean = exact(layer.k[group]), exact(layer.x[group]), exact(block.mean[group, tree.used])
    along = y @ x.mT
    along_mean = y @ mean.mT
    answered_by = torch.full(near.shape, -1)
    for level in range(3):
        node = tree.key_node[:, level]
        answered_by = torch.where(closed[:, node] & far, node, answered_by)
    count = exact(block.count[group, tree.used])
    lean = along - along_mean.gather(1, answered_by.clamp_min(0))
    return CutRows(
        head=head,
        queries=queries,
        place=place[queries],
        level=tree.level,
        parent=tree.parent,
        row=tree.row,
        key_node=tree.key_node,
        count=count,
        near=near,
        far=far,
        read=read,
        closed=closed,
        opened=opened,
        answered_by=answered_by,
        whole=whole,
        raised=block.raised[group, member, mine].cpu(),
        reads=block.reads[group, member, mine].cpu(),
        logits=layer.activations.scaling * (q @ k.mT),
        log_mass=per_node(block.log_mass).double(),
        tilt=per_node(block.tilt).double(),
        # A single key is its own mean; what rounding leaves of the difference is no tilt.
        lean=torch.where((answered_by >= 0) & (count[answered_by.clamp_min(0)] > 1), lean, 0.0),
        log_z=exact(block.log_z[group, member, mine]),
        v=exact(layer.v[group]),
        output=exact(result.output[head][order[queries]]),
    )
