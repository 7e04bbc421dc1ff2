"""What HSA is compared with at the same near keys: oracle, window, opened only, pages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from hsa.attention.opening import Opening
from hsa.attention.views import BlockView


def softmax_over(view: BlockView, read: Bool[Tensor, "G B T"]) -> Float[Tensor, "G B T"]:
    """Softmax weights over the tokens read, all others dropped."""
    return view.logits.masked_fill(~read, -torch.inf).softmax(-1)


def oracle_read(view: BlockView, k: Int[Tensor, "G B"]) -> Bool[Tensor, "G B T"]:
    """The near keys and the k far keys of largest logit: no real method can know them."""
    far = view.logits.masked_fill(~view.block.far, -torch.inf)
    order = far.argsort(dim=-1, descending=True)
    taken = torch.arange(far.shape[-1], device=far.device) < k.unsqueeze(-1)
    best = torch.zeros_like(taken).scatter(-1, order, taken)
    return view.near | (best & view.block.far)


def oracle_outputs(view: BlockView, reads: Sequence[int]) -> Iterator[Float[Tensor, "H Q V"]]:
    """The oracle's output at each of several budgets, from one sort."""
    far = view.logits.masked_fill(~view.block.far, -torch.inf)
    most = max(1, min(max(reads), far.shape[-1]))
    top, index = far.topk(most, dim=-1)
    reference = torch.maximum(
        view.logits.masked_fill(~view.near, -torch.inf).amax(-1), top[..., 0]
    ).unsqueeze(-1)
    near = (view.logits.masked_fill(~view.near, -torch.inf) - reference).exp()
    near_value, near_mass = near @ view.layer.v, near.sum(-1)
    best = (top - reference).exp()
    rows, dim = best.shape[1], view.layer.v.shape[-1]
    value = torch.zeros_like(near_value)
    done = 0
    for k in sorted(reads):
        part = slice(done, min(k, most))
        keys = index[:, :, part].flatten(1).unsqueeze(-1).expand(-1, -1, dim)
        v = view.layer.v.gather(1, keys).unflatten(1, (rows, -1))
        value = value + (best[:, :, part].unsqueeze(2) @ v).squeeze(2)
        done = min(k, most)
        mass = near_mass + best[:, :, :done].sum(-1)
        given = (near_value + value) / mass.unsqueeze(-1)
        yield given.unflatten(1, (view.heads, -1)).flatten(0, 1)


def page_read(view: BlockView, k: Int[Tensor, "G B"], page: int = 16) -> Bool[Tensor, "G B T"]:
    """Near keys, and whole pages of 16 keys chosen by their min/max bounds on q·k.

    Reads count the tokens of pages only; the bounds themselves are not charged, which is kind
    to pages.
    """
    groups, tokens, dim = view.layer.k.shape
    pages = -(-tokens // page)
    padding = pages * page - tokens
    far = torch.nn.functional.pad(view.block.far, (0, padding)).view(pages, page)
    keys = torch.nn.functional.pad(view.layer.k, (0, 0, 0, padding)).view(groups, pages, page, dim)
    hidden = ~far[None, :, :, None]
    high = keys.masked_fill(hidden, -torch.inf).amax(2).clamp_min(-1e30)
    low = keys.masked_fill(hidden, torch.inf).amin(2).clamp_max(1e30)
    q = view.layer.q[:, :, view.block.queries].flatten(1, 2)
    bound = q.clamp_min(0) @ high.mT + q.clamp_max(0) @ low.mT
    size = far.sum(1)
    bound = bound.masked_fill(size == 0, -torch.inf)
    order = bound.argsort(dim=-1, descending=True)
    taken = size[order].cumsum(-1) <= k.unsqueeze(-1)
    chosen = torch.zeros_like(taken).scatter(-1, order, taken)
    return view.near | (chosen.repeat_interleave(page, -1)[..., :tokens] & view.block.far)


def opened_read(view: BlockView, cut: Opening, exact: Bool[Tensor, "G B"]) -> Bool[Tensor, "G B T"]:
    """HSA's near and opened tokens, its closed splats dropped."""
    phrase = view.layer.tree.key_node[:, :, 2].unsqueeze(1)
    opened = cut.opened.gather(2, phrase.expand(-1, cut.opened.shape[1], -1))
    return view.near | (view.block.far & (opened | exact.unsqueeze(-1)))
