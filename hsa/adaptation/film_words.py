"""A splat's history in words, from the film that it stands in."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from hsa.adaptation.recording import Happening, Recording
from hsa.field.splat_field import LEVELS

MEASURED = {
    "birth": "distance of its keys",
    "mitosis": "error of its answer and keys, in units of its level's mean,",
    "merge": "cost of joining",
    "death": "prior share",
}
"""What each rule's evidence is."""

BECAME = {"birth": "was born", "mitosis": "came of a division", "merge": "came of a merge"}
ENDED = {"mitosis": "divided", "merge": "merged", "death": "died"}


def history(shown: Recording, splat_id: int) -> list[str]:
    """Sentences in order: how it came, how often it moved, what was tried in vain, how it ended.

    Raises:
        KeyError: no such splat ever stood.
    """
    number = {splat: at for at, splat in enumerate(shown.splat_id.tolist())}[splat_id]
    level = LEVELS[int(shown.level[number])]
    born, died = int(shown.born[number]), int(shown.died[number])
    made = [h for h in shown.happenings if h.accepted and number in h.after and h.kind in BECAME]
    ended = [h for h in shown.happenings if h.accepted and number in h.before and h.kind in ENDED]
    tried = [h for h in shown.happenings if not h.accepted and number in h.before]
    if made:
        told = [
            f"{level} #{splat_id} {BECAME[made[0].kind]}{_of(shown, made[0].before, ' of ')} at "
            f"{_step(shown, born)}: {_why(made[0])}."
        ]
    else:
        told = [f"{level} #{splat_id} stood from the start, before the first text."]
    told += _moves(shown, number)
    told += _in_vain(tried)
    if ended:
        told.append(
            f"It {ENDED[ended[0].kind]}{_of(shown, ended[0].after, ' into ')} at "
            f"{_step(shown, died)}: {_why(ended[0])}."
        )
    else:
        told.append(_at_the_end(shown, number))
    return told


def _of(shown: Recording, splats: tuple[int, ...], word: str) -> str:
    named = " and ".join(f"#{int(shown.splat_id[splat])}" for splat in splats)
    return f"{word}{named}" if named else ""


def _step(shown: Recording, step: int) -> str:
    return f"step {step} ({shown.step_names[step]})"


def _why(happening: Happening) -> str:
    sign = "over" if happening.evidence > happening.threshold else "under"
    what = MEASURED.get(happening.kind, "evidence")
    return (
        f"{what} {happening.evidence:.3g}, {sign} the threshold {happening.threshold:.3g}; "
        f"the objective on held texts went from {happening.error_before:.4f} "
        f"to {happening.error_after:.4f}"
    )


def _frames(shown: Recording, number: int) -> list[int]:
    return (shown.frame_splat == number).nonzero().squeeze(1).tolist()


def _moves(shown: Recording, number: int) -> list[str]:
    frames = _frames(shown, number)
    pairs = list(pairwise(frames))
    moved = [
        later for one, later in pairs
        if (shown.frame_x[one], shown.frame_y[one]) != (shown.frame_x[later], shown.frame_y[later])
    ]  # fmt: skip
    homes = [later for one, later in pairs if shown.frame_parent[one] != shown.frame_parent[later]]
    told = []
    if moved:
        steps = ", ".join(str(int(shown.frame_step[frame])) for frame in moved[:12])
        more = ", …" if len(moved) > 12 else ""
        told.append(f"It drifted after its keys at step {steps}{more}.")
    if homes:
        parent = int(shown.splat_id[int(shown.frame_parent[homes[-1]])])
        told.append(f"It went to a nearer parent {_times(len(homes))}, in the end to #{parent}.")
    return told


def _in_vain(tried: list[Happening]) -> list[str]:
    counts = Counter(happening.kind for happening in tried)
    return [
        f"A {kind} of it was tried {_times(count)} and rolled back, for it made the held or the "
        "kept texts worse together with the edits beside it."
        for kind, count in counts.items()
    ]


def _at_the_end(shown: Recording, number: int) -> str:
    last = _frames(shown, number)[-1]
    parent = int(shown.frame_parent[last])
    under = f" below #{int(shown.splat_id[parent])}" if parent >= 0 else ""
    share = float(shown.frame_share[last])
    return f"It stands at the end{under} with a prior share of {share:.2%} of its level."


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")
