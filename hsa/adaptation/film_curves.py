"""The numbers of one head's adaptation, step by step, as a film draws them.

Nothing was measured before the first text, so step 0 shows what the first text met: it was
measured before it was learned from. Where a step tried nothing, what was known last holds.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from hsa.adaptation.edit import Kind
from hsa.adaptation.recording import Curve
from hsa.adaptation.step import HeadStep, tally
from hsa.field.splat_field import LEVELS, PHRASE, SplatField

STRUCTURE: tuple[Kind, ...] = ("birth", "mitosis", "merge", "death")
MANY = {"birth": "births", "mitosis": "mitoses", "merge": "merges", "death": "deaths"}


def curves(before: SplatField, steps: Sequence[HeadStep]) -> tuple[Curve, ...]:
    """Errors, splats, thresholds of the Phrases, events and churn; none of no steps."""
    if not steps:
        return ()
    kept = _kept(steps)
    first, after = _objective(steps)
    at_start = [int((before.level == level).sum()) for level in range(len(LEVELS))]
    fired = [_fired(step) for step in steps]
    changed = [0.0, *(step.churn() for step in steps)]
    return (
        _curve("of the text read", "error", "relative output error",
               [steps[0].error, *(step.error for step in steps)]),
        *((_curve("of texts to be kept", "error", "relative output error", kept),)
          if kept else ()),
        _curve("before the event", "objective on held texts", "relative output error", first),
        _curve("after it", "objective on held texts", "relative output error", after),
        *(_curve(f"{LEVELS[level]}s", "splats", "splats",
                 [at_start[level], *(step.splats[level] for step in steps)])
          for level in reversed(range(len(LEVELS)))),
        *(_curve(MANY[kind], "thresholds", "of its evidence",
                 [step.thresholds[PHRASE][kind] for step in (steps[0], *steps)])
          for kind in STRUCTURE if all(kind in step.thresholds[PHRASE] for step in steps)),
        *(_curve(MANY[kind], "event rates", "edits kept a text",
                 [0, *(count[kind] for count in fired)])
          for kind in STRUCTURE),
        _curve("born or gone", "churn", "share of splats", changed),
    )  # fmt: skip


def _curve(name: str, panel: str, unit: str, values: Sequence[float]) -> Curve:
    # A log that was written by hand may hold anything; what is drawn is finite.
    drawn = torch.tensor(values, dtype=torch.float32).nan_to_num(0.0, 0.0, 0.0)
    return Curve(name, panel, unit, drawn)


def _objective(steps: Sequence[HeadStep]) -> tuple[list[float], list[float]]:
    """Before each step's event, and after what was kept of it."""
    pairs: list[tuple[float, float] | None] = [None]
    for step in steps:
        kept = [trial for trial in step.trials if trial.accepted]
        if kept:
            pairs.append(kept[-1].objective)
        elif step.trials:
            stays = step.trials[0].objective[0]
            pairs.append((stays, stays))
        else:
            pairs.append(None)
    known = next((pair for pair in pairs if pair is not None), (0.0, 0.0))
    before, after, now = [], [], known[0]
    for pair in pairs:
        before.append(now if pair is None else pair[0])
        now = now if pair is None else pair[1]
        after.append(now)
    return before, after


def _kept(steps: Sequence[HeadStep]) -> list[float]:
    """Error on the texts that must not be forgotten; empty where there are none."""
    told = [trial.kept_error for step in steps for trial in step.trials if trial.kept_error]
    if not told:
        return []
    values = [told[0][0]]
    for step in steps:
        now = values[-1]
        for trial in step.trials:
            if trial.kept_error is not None:
                now = trial.kept_error[1 if trial.accepted else 0]
        values.append(now)
    return values


def _fired(step: HeadStep) -> dict[str, int]:
    kept = tally([step])[True]
    return {kind: kept[kind] for kind in STRUCTURE}
