"""One head's adaptation as a film: who stood where at every step, and what happened."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Happening:
    """One edit as a viewer sees it; splats by their number in the recording.

    Attributes:
        step: the first step that shows its result. A rejected edit changed nothing.
        before, after: splats that it took, and splats that it put: one and two for a mitosis,
            two and one for a merge, none and one for a birth.
        evidence, threshold: the number that fired, and what it was held against.
        error_before, error_after: the objective on the held texts.
    """

    step: int
    kind: str
    level: int
    before: tuple[int, ...]
    after: tuple[int, ...]
    accepted: bool
    evidence: float
    threshold: float
    error_before: float
    error_after: float


@dataclass(frozen=True)
class Curve:
    """One number at every step.

    Attributes:
        panel: curves of one panel are drawn over each other.
        unit: of the panel's axis.
    """

    name: str
    panel: str
    unit: str
    values: Float[Tensor, " S"]


@dataclass(frozen=True)
class Recording:
    """M splats over S steps; step 0 is the field before the first text.

    Attributes:
        title: the head, in words.
        step_names: the text that each step read; "start" for step 0.
        splat_id, level: of the M splats that ever stood.
        born, died: the first step at which a splat stands, and the first at which it no longer
            does (S if it stands at the end).
        frame_splat, frame_step: keyframes, sorted by splat, then step: from this step on the
            splat stands at `frame_x`, `frame_y` with the prior share `frame_share` below the
            splat `frame_parent` (-1: none). Each splat has one at `born`.
        mass, error: evidence of every splat after every step, as in `LoggedEvidence`; NaN where
            it did not stand or no text told of it. The player does not need them.
    """

    title: str
    step_names: tuple[str, ...]
    splat_id: Int[Tensor, " M"]
    level: Int[Tensor, " M"]
    born: Int[Tensor, " M"]
    died: Int[Tensor, " M"]
    frame_splat: Int[Tensor, " F"]
    frame_step: Int[Tensor, " F"]
    frame_x: Float[Tensor, " F"]
    frame_y: Float[Tensor, " F"]
    frame_share: Float[Tensor, " F"]
    frame_parent: Int[Tensor, " F"]
    happenings: tuple[Happening, ...]
    curves: tuple[Curve, ...]
    mass: Float[Tensor, "S M"] | None = None
    error: Float[Tensor, "S M"] | None = None
