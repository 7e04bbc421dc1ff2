"""How far a head of blocked HSA is from the reference at the same reads."""

from __future__ import annotations

from dataclasses import dataclass

from hsa.attention.blocked_head import BlockedHead
from hsa.evaluation.agreement import HeadComparison, compare_head


@dataclass(frozen=True)
class BlockedDifference:
    """Blocked HSA and the reference, each compared with standard attention on the same queries.

    Attributes:
        weights: mean |A_blocked - A_reference| over the keys that each query sees.
        largest: the largest such difference of a single weight.
    """

    blocked: HeadComparison
    reference: HeadComparison
    weights: float
    largest: float


def blocked_difference(head: BlockedHead) -> BlockedDifference:
    """Compare both results of a head."""
    blocked = compare_head(head.blocked, head.framed)
    reference = compare_head(head.reference, head.framed)
    apart = (blocked.hsa - reference.hsa).abs()
    seen = int(blocked.visible_keys.sum())
    return BlockedDifference(
        blocked, reference, float(apart.double().sum()) / seen, float(apart.max())
    )
