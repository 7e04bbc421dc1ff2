"""Which token of a prompt stands for which of the pinned reference's: position by position."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

LEAST_SHARED = 0.5
"""Share of the positions that must hold the same token for a map of differences to mean much."""


@dataclass(frozen=True)
class Alignment:
    """Tokens of two prompts by position.

    Attributes:
        tokens, reference_tokens: how many each has.
        differing: positions, of those that both have, whose tokens are not the same.
    """

    tokens: int
    reference_tokens: int
    differing: tuple[int, ...]

    @property
    def aligned(self) -> bool:
        """Whether weights of the two prompts may be subtracted cell by cell."""
        shared = self.tokens - len(self.differing)
        return self.tokens == self.reference_tokens and shared >= LEAST_SHARED * self.tokens


def align(ids: Sequence[int], reference_ids: Sequence[int]) -> Alignment:
    """Compare two prompts' token ids where both have one."""
    both = zip(ids, reference_ids, strict=False)
    differing = tuple(at for at, (one, other) in enumerate(both) if one != other)
    return Alignment(len(ids), len(reference_ids), differing)


def sentence(found: Alignment) -> str:
    """How the prompts are aligned, or why their maps are not subtracted."""
    if found.tokens != found.reference_tokens:
        return (
            f"No map of differences: this prompt has {found.tokens:,} tokens and the reference "
            f"{found.reference_tokens:,}, so a position is not the same place in both. Prompts of "
            "equal length that differ in some tokens have one."
        )
    if not found.aligned:
        return (
            f"No map of differences: {len(found.differing):,} of {found.tokens:,} tokens are not "
            "the same, more than half, so cells would have little to do with each other."
        )
    if not found.differing:
        return "Both read the same tokens: every cell is the same query and key in both."
    some = ", ".join(f"{at:,}" for at in found.differing[:8])
    more = ", …" if len(found.differing) > 8 else ""
    many = "are" if len(found.differing) > 1 else "is"
    return (
        f"Aligned by position, token 5 with token 5: {len(found.differing):,} of "
        f"{found.tokens:,} tokens {many} not the same (position {some}{more}). Where they differ, "
        "a cell compares two different tokens in one place."
    )
