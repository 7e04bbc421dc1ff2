"""The stretches of a text around some of its tokens: their sentences, or as much of them as fits.

A sentence ends at a token that closes one or breaks the line. This is for reading only: nothing
is measured by it.
"""

from __future__ import annotations

from collections.abc import Sequence

ENDS = (".", "!", "?", "…", "。", "！", "？")
CLOSING = "\"'”’)]»"
MOST_BESIDE = 24
"""Tokens shown at most on either side of a held one."""


def passages(strings: Sequence[str], held: Sequence[int]) -> tuple[range, ...]:
    """Stretches in the order of the text that hold every position of `held`, none overlapping."""
    starts = _sentence_starts(strings)
    found: list[range] = []
    for position in sorted(set(held)):
        first, end = _sentence(starts, position, len(strings))
        first = max(first, position - MOST_BESIDE)
        end = min(end, position + MOST_BESIDE + 1)
        if found and first <= found[-1].stop:
            found[-1] = range(found[-1].start, max(end, found[-1].stop))
        else:
            found.append(range(first, end))
    return tuple(found)


def _sentence_starts(strings: Sequence[str]) -> list[bool]:
    """Whether a sentence begins with each token."""
    starts = [True]
    for before in strings[:-1]:
        ended = before.strip().rstrip(CLOSING).endswith(ENDS) or "\n" in before
        starts.append(ended)
    return starts


def _sentence(starts: Sequence[bool], position: int, tokens: int) -> tuple[int, int]:
    first, end = position, position + 1
    while not starts[first] and position - first < MOST_BESIDE:
        first -= 1
    while end < tokens and not starts[end] and end - position <= MOST_BESIDE:
        end += 1
    return first, end


def heaviest(
    stretches: Sequence[range], held: Sequence[int], weight: Sequence[float], most: int
) -> tuple[range, ...]:
    """The stretches whose held tokens weigh most together, in the order of the text."""
    total = {
        of: sum(mass for at, mass in zip(held, weight, strict=True) if at in of) for of in stretches
    }
    chosen = sorted(stretches, key=lambda of: (-total[of], of.start))[:most]
    return tuple(sorted(chosen, key=lambda of: of.start))
