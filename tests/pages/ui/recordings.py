"""A film that a field could have had: splats that come, divide, join, leave and move."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from hsa.adaptation.recording import Curve, Happening, Recording


class Growing:
    """The splats that stand, and everything that is remembered of them."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.place: dict[int, np.ndarray] = {}
        self.share: dict[int, float] = {}
        self.parent: dict[int, int] = {}
        self.level: list[int] = []
        self.born: list[int] = []
        self.died: dict[int, int] = {}
        self.frames: list[tuple[int, int, float, float, float, int]] = []
        self.happenings: list[Happening] = []
        self.error = 0.1

    def put(self, step: int, level: int, place: np.ndarray, share: float, parent: int) -> int:
        splat = len(self.level)
        self.level.append(level)
        self.born.append(step)
        self.place[splat], self.share[splat], self.parent[splat] = place, share, parent
        return splat

    def leave(self, step: int, splat: int) -> None:
        self.died[splat] = step
        for held in (self.place, self.share, self.parent):
            del held[splat]

    def standing(self, level: int) -> list[int]:
        return [splat for splat in self.place if self.level[splat] == level]

    def pick(self, level: int) -> int:
        return int(self.random.choice(self.standing(level)))

    def keep(self, step: int, splats: Sequence[int]) -> None:
        for splat in splats:
            x, y = self.place[splat]
            self.frames.append((splat, step, x, y, self.share[splat], self.parent[splat]))

    def tell(self, step, kind, level, before, after, accepted=True) -> None:
        better = self.error * (0.995 if accepted else 1.01)
        # Merge and death fire below their thresholds, birth and mitosis above.
        fires_below = kind in ("merge", "death")
        evidence = float(
            self.random.uniform(0.05, 0.3) if fires_below else self.random.uniform(3, 5)
        )
        threshold = 0.0 if kind == "drift" else 0.4 if fires_below else 2.4
        self.happenings.append(
            Happening(step, kind, level, tuple(before), tuple(after), accepted, evidence,
                      threshold, self.error, better)
        )  # fmt: skip
        self.error = better if accepted else self.error

    def adopt(self, old: int, new: int) -> list[int]:
        children = [splat for splat, parent in self.parent.items() if parent == old]
        for child in children:
            self.parent[child] = new
        return children

    def divide(self, step: int, level: int) -> None:
        splat = self.pick(level)
        apart = self.random.normal(size=2) * (0.5, 0.3, 0.22)[level]
        halves = [
            self.put(step, level, self.place[splat] + side * apart, self.share[splat] / 2,
                     self.parent[splat])
            for side in (-1, 1)
        ]  # fmt: skip
        self.leave(step, splat)
        self.keep(step, [*halves, *self.adopt(splat, halves[0])])
        self.tell(step, "mitosis", level, [splat], halves)

    def join(self, step: int, level: int) -> None:
        one = self.pick(level)
        others = [s for s in self.standing(level) if s != one]
        if not others:
            return
        other = min(others, key=lambda s: float(np.sum((self.place[s] - self.place[one]) ** 2)))
        place = (self.place[one] + self.place[other]) / 2
        share = self.share[one] + self.share[other]
        whole = self.put(step, level, place, share, self.parent[one])
        for splat in (one, other):
            self.leave(step, splat)
        self.keep(step, [whole, *self.adopt(one, whole), *self.adopt(other, whole)])
        self.tell(step, "merge", level, [one, other], [whole])

    def bear(self, step: int) -> None:
        section = self.pick(1)
        place = self.place[section] + self.random.normal(size=2) * 0.8
        splat = self.put(step, 2, place, 0.004, section)
        self.keep(step, [splat])
        self.tell(step, "birth", 2, [], [splat])

    def die(self, step: int) -> None:
        if len(self.standing(2)) > 2:
            splat = self.pick(2)
            self.leave(step, splat)
            self.tell(step, "death", 2, [splat], [])

    def drift(self, step: int, level: int, most: int) -> None:
        splats = self.standing(level)
        moved = [int(s) for s in self.random.permutation(splats)[:most]]
        for splat in moved:
            self.place[splat] = self.place[splat] + self.random.normal(size=2) * 0.06
        self.keep(step, moved)
        self.tell(step, "drift", level, moved, moved)


def film(
    splats: tuple[int, int, int] = (2, 6, 24),
    steps: int = 12,
    *,
    seed: int = 0,
    events: int = 1,
    drifting: int = 4,
    names: Sequence[str] | None = None,
    title: str = "layer 3 · head 5",
) -> Recording:
    """Splats of each level at the start; every later step moves some and changes a few.

    Args:
        events: mitoses, births and merges of a step.
        drifting: Phrases that move at a step.
    """
    growing = Growing(seed)
    _start(growing, splats)
    counts = [[len(growing.standing(level)) for level in range(3)]]
    errors = [growing.error]
    for step in range(1, steps):
        growing.drift(step, 2, drifting)
        for number in range(events):
            growing.divide(step, 2 if (step + number) % 5 else 1)
            growing.bear(step)
            if (step + number) % 2:
                growing.join(step, 2)
                growing.die(step)
            if (step + number) % 3 == 0:
                growing.tell(step, "mitosis", 2, [growing.pick(2)], [], accepted=False)
        counts.append([len(growing.standing(level)) for level in range(3)])
        errors.append(growing.error)
    return _recording(growing, steps, counts, errors, names, title)


def _start(growing: Growing, splats: tuple[int, int, int]) -> None:
    random = growing.random
    above: list[int] = []
    for level, count in enumerate(splats):
        weight = random.dirichlet(np.full(count, 4.0)) if count else []
        placed = []
        for share in weight:
            parent = int(random.choice(above)) if above else -1
            middle = growing.place[parent] if above else np.zeros(2)
            place = middle + random.normal(size=2) * (2.4, 1.0, 0.5)[level]
            placed.append(growing.put(0, level, place, float(share), parent))
        above = placed or above
    growing.keep(0, list(growing.place))


def _recording(growing: Growing, steps, counts, errors, names, title) -> Recording:
    last = {(frame[0], frame[1]): frame for frame in growing.frames}
    frames = [last[at] for at in sorted(last)]
    columns = list(zip(*frames, strict=True))
    total = len(growing.level)
    curve_values = [
        ("error", "Objective", "relative output error", errors),
        ("Phrases", "Standing splats", "splats", [count[2] for count in counts]),
        ("Sections", "Standing splats", "splats", [count[1] for count in counts]),
        ("reads", "Reads", "keys per query", [300 + 8 * np.sin(at / 4) for at in range(steps)]),
    ]
    return Recording(
        title=title,
        step_names=tuple(names or ["start", *(f"Moby-Dick, part {at}" for at in range(1, steps))]),
        # Ids are not numbers in the recording: whoever takes one for the other is found out.
        splat_id=torch.arange(total) * 3 + 100,
        level=torch.tensor(growing.level),
        born=torch.tensor(growing.born),
        died=torch.tensor([growing.died.get(splat, steps) for splat in range(total)]),
        frame_splat=torch.tensor(columns[0]),
        frame_step=torch.tensor(columns[1]),
        frame_x=torch.tensor(columns[2], dtype=torch.float32),
        frame_y=torch.tensor(columns[3], dtype=torch.float32),
        frame_share=torch.tensor(columns[4], dtype=torch.float32),
        frame_parent=torch.tensor(columns[5]),
        happenings=tuple(growing.happenings),
        curves=tuple(
            Curve(name, panel, unit, torch.tensor(values, dtype=torch.float32))
            for name, panel, unit, values in curve_values
        ),
    )
