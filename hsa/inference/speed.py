"""What a continuation took: seconds and reads per token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median

from hsa.inference.write import Written


@dataclass(frozen=True)
class Speed:
    """Seconds and reads of the tokens written.

    The first token carries the reading of the prompt and stands apart: `seconds`, `reads` and
    `keys` are of the tokens after it, None where there is only one; `in_all` are all seconds.
    `reads` is everything read per token, mean over layers and heads, and `keys` what standard
    attention reads.
    """

    tokens: int
    first_seconds: float
    prompt_reads: float
    prompt_keys: float
    in_all: float
    seconds: float | None = None
    reads: float | None = None
    keys: float | None = None

    @property
    def per_second(self) -> float | None:
        """Tokens per second after the first."""
        return None if self.seconds is None else 1 / self.seconds

    @property
    def share_read(self) -> float | None:
        """Reads as a share of the keys, after the first token."""
        return None if self.reads is None or not self.keys else self.reads / self.keys


def speed(written: Sequence[Written]) -> Speed | None:
    """The median seconds per token and mean reads; None where nothing was written."""
    if not written:
        return None
    first, later = written[0], written[1:]
    # Query i of the prompt sees i keys, so that its mean query sees half of it.
    seen = (first.keys + 1) / 2
    in_all = sum(w.seconds for w in written)
    if not later:
        return Speed(1, first.seconds, first.reads, seen, in_all)
    return Speed(
        len(written), first.seconds, first.reads, seen, in_all,
        max(median(w.seconds for w in later), 1e-9),
        fmean(w.reads for w in later),
        fmean(w.keys for w in later),
    )  # fmt: skip


def times_as_long(standard: Sequence[Written], ours: Sequence[Written]) -> float | None:
    """HSA's seconds per token over standard attention's, after the first token of each."""
    usual, found = speed(standard), speed(ours)
    if usual is None or found is None or usual.seconds is None or found.seconds is None:
        return None
    return found.seconds / usual.seconds
