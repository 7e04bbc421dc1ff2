"""What one text did to one head: what was tried, what was kept, and what it was judged by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from hsa.adaptation.edit import Edit, Kind
from hsa.adaptation.evidence_log import LoggedEvidence


@dataclass(frozen=True)
class Trial:
    """A proposal and its judgement.

    Attributes:
        kind: "structure" (with the drift that follows it) or "drift" alone.
        objective: error + price · reads on the held texts, before and after; geometric means.
        kept_error: error on the texts that must not be forgotten, before and after; None without
            such texts, and where the held texts had said no already.
    """

    kind: str
    batches: tuple[tuple[Edit, ...], ...]
    accepted: bool
    objective: tuple[float, float]
    kept_error: tuple[float, float] | None

    def edits(self) -> list[Edit]:
        """All of them, in the order in which they apply."""
        return [edit for batch in self.batches for edit in batch]


@dataclass(frozen=True)
class HeadStep:
    """What one text did to one key/value head.

    Attributes:
        error: of the group's query heads on the text itself, before it was learned from.
        thresholds: by level, after the step.
        pace: factor on the rate of drift, halved by each drift that was rolled back.
        saved: edits that rules have saved up, by kind and level.
        evidence: of every splat after the step; none where a text was held and told nothing.
    """

    trials: tuple[Trial, ...]
    error: float
    reads: float
    thresholds: tuple[dict[Kind, float], ...]
    splats: tuple[int, ...]
    pace: float
    saved: dict[str, float]
    evidence: LoggedEvidence | None = None

    def churn(self) -> float:
        """Splats that were born or left, as a share of those that stand."""
        kept = [edit for trial in self.trials if trial.accepted for edit in trial.edits()]
        changed = sum(len(edit.removed) + edit.put.splat_id.numel() for edit in kept)
        return changed / max(sum(self.splats), 1)


def tally(steps: Iterable[HeadStep]) -> dict[bool, Counter[str]]:
    """Edits by kind: True those that were accepted, False those rolled back."""
    counts: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}
    for step in steps:
        for trial in step.trials:
            counts[trial.accepted].update(edit.kind for edit in trial.edits())
    return counts
