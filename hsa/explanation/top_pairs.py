"""The pairs of a prompt that attend most, each with its main contributors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from hsa.attention.effective import CutRows, cut_rows
from hsa.attention.result import HSAResult
from hsa.attention.views import FramedLayer
from hsa.explanation.pair import UNLABELLED, PairExplanation, explain_pair


@dataclass(frozen=True)
class MainContributor:
    """A splat behind a weight: `contribution` is its share of the query's attention."""

    splat_id: int
    level: str
    contribution: float
    specialisation: str | None = None


@dataclass(frozen=True)
class TopPair:
    """A query and a key, the weight between them, and the splats that the key lies in."""

    token_pair: tuple[str, str]
    attention_score: float
    main_contributors: tuple[MainContributor, ...]
    explanation: PairExplanation


@dataclass(frozen=True)
class TopPairs:
    """The pairs of largest weight or contribution of some heads of a layer, largest first.

    Attributes:
        ranked_by: 'weight' A_ij, or 'contribution' ‖A_ij v_j‖.
        near: whether near keys (sinks, window, the token itself) were let in.
    """

    layer: int
    heads: tuple[int, ...]
    ranked_by: str
    near: bool
    pairs: tuple[TopPair, ...]


def top_pairs(
    result: HSAResult,
    layer: FramedLayer,
    strings: Sequence[str],
    heads: Sequence[int] | None = None,
    top_k: int = 5,
    near: bool = True,
    by: Literal["weight", "contribution"] = "weight",
    labels: Mapping[int, str] = UNLABELLED,
) -> TopPairs:
    """Rank all pairs of the heads asked for and explain the first of them.

    Args:
        near: False leaves out the near keys, which every causal model attends to.
        labels: what splats serve for the one head asked for, by id.
    """
    chosen = tuple(range(result.output.shape[0]) if heads is None else heads)
    found: list[tuple[float, int, int, int]] = []
    for head in chosen:
        for cut in cut_rows(result, layer, head):
            score = _score(cut, near, by)
            best, index = score.flatten().topk(min(top_k, score.numel()))
            for value, flat in zip(best.tolist(), index.tolist(), strict=True):
                if value > -torch.inf:
                    at, key = divmod(flat, score.shape[1])
                    found.append((value, head, int(cut.queries[at]), key))
        found = sorted(found, key=lambda pair: (-pair[0], *pair[1:]))[:top_k]
    return TopPairs(
        layer=result.layer,
        heads=chosen,
        ranked_by=by,
        near=near,
        pairs=tuple(
            _top_pair(explain_pair(result, layer, strings, head, query, key, labels))
            for _, head, query, key in found
        ),
    )


def _score(cut: CutRows, near: bool, by: str) -> Float[Tensor, "Q T"]:
    score = cut.weights()
    if by == "contribution":
        score = score.abs() * cut.v.norm(dim=1)
    return score.masked_fill(~(cut.visible if near else cut.visible & ~cut.near), -torch.inf)


def _top_pair(pair: PairExplanation) -> TopPair:
    return TopPair(
        token_pair=(pair.query_token, pair.key_token),
        attention_score=pair.weight,
        main_contributors=tuple(
            MainContributor(splat.splat_id, splat.level, splat.mass, splat.specialisation)
            for splat in pair.path
        ),
        explanation=pair,
    )
