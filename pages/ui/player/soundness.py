"""What a recording must hold before it can be drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from hsa.adaptation.recording import Recording

LEVELS = 3


def check(recording: Recording) -> None:
    """Refuse what the browser could only draw wrongly.

    Raises:
        ValueError: says what was got and what is needed.
    """
    splats, steps = len(recording.splat_id), len(recording.step_names)
    if not splats or not steps:
        raise ValueError(f"a film has at least 1 splat and 1 step, got {splats} and {steps}")
    _lengths(recording, splats, steps)
    if len(set(recording.splat_id.tolist())) != splats:
        raise ValueError("splat ids must differ, for a viewer chooses a splat by its id")
    level = recording.level.numpy()
    if level.min() < 0 or level.max() >= LEVELS:
        raise ValueError(f"levels go from 0 to {LEVELS - 1}, got {level.min()} to {level.max()}")
    _keyframes(recording, splats)
    for curve in recording.curves:
        if len(curve.values) != steps:
            raise ValueError(
                f"curve {curve.name!r} has {len(curve.values)} values for {steps} steps"
            )
    for happening in recording.happenings:
        named = (*happening.before, *happening.after)
        if not 0 <= happening.step < steps or not all(0 <= splat < splats for splat in named):
            raise ValueError(
                f"an event names step {happening.step} of {steps} "
                f"and splats {named} of {splats} by number"
            )


def _lengths(recording: Recording, splats: int, steps: int) -> None:
    for name in ("level", "born", "died"):
        if len(getattr(recording, name)) != splats:
            raise ValueError(
                f"{name} has {len(getattr(recording, name))} values for {splats} splats"
            )
    frames = len(recording.frame_splat)
    for name in ("frame_step", "frame_x", "frame_y", "frame_share", "frame_parent"):
        if len(getattr(recording, name)) != frames:
            raise ValueError(
                f"{name} has {len(getattr(recording, name))} values for {frames} keyframes"
            )


def _keyframes(recording: Recording, splats: int) -> None:
    splat, step = recording.frame_splat.numpy(), recording.frame_step.numpy()
    order = np.lexsort((step, splat))
    if not np.array_equal(order, np.arange(len(splat))):
        raise ValueError("keyframes must be sorted by splat, then step")
    first = np.searchsorted(splat, np.arange(splats))
    known = first < len(splat)
    at = first[known]
    known[known] = (splat[at] == np.flatnonzero(known)) & (
        step[at] == recording.born.numpy()[known]
    )
    if not known.all():
        raise ValueError(
            f"splat {np.flatnonzero(~known)[0]} has no keyframe at the step it is born"
        )
    for name in ("frame_x", "frame_y", "frame_share"):
        if not np.isfinite(getattr(recording, name).numpy()).all():
            raise ValueError(f"{name} holds values that are not finite, which have no place")
