"""From the steps of one head to the film of it: who stood where, and what happened (design §8).

The steps are replayed on the field that they began from, so a film needs neither the model nor
the texts. Places are the two principal axes of every position that ever stood: fitted once, so
that nothing moves on the map but what moved in the field.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hsa.adaptation.edit import Edit, Head, apply_edits
from hsa.adaptation.evidence import no_evidence
from hsa.adaptation.evidence_log import LoggedEvidence, values
from hsa.adaptation.film_curves import curves
from hsa.adaptation.recording import Happening, Recording
from hsa.adaptation.replay import Fields, Log, rebuilt
from hsa.adaptation.step import HeadStep, Trial
from hsa.errors import InputError
from hsa.field.splat_field import SplatField

SHARE_SEEN = 1e-3
"""A prior share that changes by less, of itself, has no keyframe: deaths shift a whole level."""

MOST_DRIFTS_NAMED = 40
"""Splats that one drift names, those that went farthest; the others move all the same."""


def film(
    before: SplatField, steps: Sequence[HeadStep], names: Sequence[str], title: str
) -> Recording:
    """The film of a head that began as `before`, one step a text.

    Args:
        names: of the texts, one a step.

    Raises:
        InputError: there are more or fewer names than steps.
        FieldError: the steps are of another field.
    """
    if len(names) != len(steps):
        raise InputError(
            "A film needs one name a step", got=f"{len(names)} names", needed=f"{len(steps)}"
        )
    reel = _Reel(before)
    happenings: list[Happening] = []
    for number, step in enumerate(steps, 1):
        for trial in step.trials:
            for batch in trial.batches:
                if trial.accepted:
                    reel.apply(batch)
                happenings += [reel.happening(edit, trial, number) for edit in batch if _told(edit)]
        reel.end_of(number)
        reel.told(step.evidence)
    return reel.recording(title, ("start", *names), happenings, curves(before, steps))


def film_of_log(log: Log, fields: Fields, layer: int, group: int) -> Recording:
    """The film of one of a log's heads, after every step was rebuilt and compared.

    Raises:
        InputError: the log is of other heads.
        FieldError: it began from another field, or comes out otherwise.
    """
    heads = tuple(head for head in log.start.heads if head[:2] == (layer, group))
    if not heads:
        raise InputError(
            "The log has no such head", got=f"layer {layer}, key/value head {group}",
            needed=" or ".join(f"layer {at}, head {of}" for at, of, _ in log.start.heads),
        )  # fmt: skip
    taken = tuple(
        replace(step, heads=tuple(head for head in step.heads if head.group == group))
        for step in log.steps
        if step.layer == layer
    )
    rebuilt(replace(log, start=replace(log.start, heads=heads), steps=taken), fields)
    return film(
        fields[layer, group],
        [step.heads[0].step for step in taken],
        [step.text + (", held to judge on" if step.held else "") for step in taken],
        f"{log.start.model}: layer {layer}, key/value head {group}",
    )


def _told(edit: Edit) -> bool:
    """Children that go to a nearer parent are seen on the map alone: they are many and small."""
    return not (edit.kind == "drift" and edit.adopted)


@dataclass
class _Keyframes:
    """Keyframes of one step."""

    splat: Int[Tensor, " F"]
    step: int
    position: Float[Tensor, "F D"]
    share: Float[Tensor, " F"]
    parent: Int[Tensor, " F"]


@dataclass
class _Reel:
    """The head as it stands, and all that was seen of it; splats by number, as they came."""

    first: SplatField
    ids: list[int] = field(default_factory=list)
    levels: list[int] = field(default_factory=list)
    born: list[int] = field(default_factory=list)
    died: dict[int, int] = field(default_factory=dict)
    frames: list[_Keyframes] = field(default_factory=list)
    evidence: list[tuple[Tensor, LoggedEvidence] | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.head = Head(self.first, no_evidence(self.first), int(self.first.splat_id.max()) + 1)
        self.number_of: dict[int, int] = {}
        self.steps = 0
        self.last = _Keyframes(
            torch.zeros(0, dtype=torch.long), 0, self.first.position[:0],
            self.first.log_amplitude[:0], torch.zeros(0, dtype=torch.long),
        )  # fmt: skip
        for splat, level in zip(
            self.first.splat_id.tolist(), self.first.level.tolist(), strict=True
        ):
            self._welcome(splat, level, 0)
        self.end_of(0)
        self.told(None)

    def _welcome(self, splat: int, level: int, step: int) -> None:
        self.number_of[splat] = len(self.ids)
        self.ids.append(splat)
        self.levels.append(level)
        self.born.append(step)

    def apply(self, batch: Sequence[Edit]) -> None:
        """Edits that were accepted at the step that follows the last whole one."""
        now = self.steps
        removed = [splat for edit in batch for splat in edit.removed]
        self._keep_fleeting([at for at in removed if self.born[self.number_of[at]] == now])
        self.head = apply_edits(self.head, batch)
        for edit in batch:
            for splat in edit.removed:
                self.died[self.number_of[splat]] = now
            for splat in edit.put.splat_id.tolist():
                self._welcome(splat, edit.level, now)

    def _keep_fleeting(self, splats: Sequence[int]) -> None:
        """Whoever comes and goes within a step stands at none, and has a place all the same."""
        if splats:
            row, known = self.head.row_of(splats), self.head.field
            number = torch.tensor([self.number_of[splat] for splat in splats])
            self.frames.append(
                _Keyframes(number, self.steps, known.position[row],
                           known.log_amplitude[row].exp(), torch.full_like(number, -1))
            )  # fmt: skip

    def happening(self, edit: Edit, trial: Trial, step: int) -> Happening:
        """The edit as a viewer sees it; what was rolled back put nobody."""
        taken = [self.number_of[splat] for splat in edit.removed]
        put = [self.number_of[splat] for splat in edit.put.splat_id.tolist() if trial.accepted]
        if edit.moved is not None and trial.accepted:
            farthest = (edit.moved.step * edit.moved.code.float().norm(dim=1)).argsort(
                descending=True, stable=True
            )[:MOST_DRIFTS_NAMED]
            named = edit.moved.splat_id[farthest].tolist()
            taken = put = [self.number_of[splat] for splat in named]
        return Happening(
            step, edit.kind, edit.level, tuple(taken), tuple(put), trial.accepted,
            edit.evidence, edit.threshold, *trial.objective,
        )  # fmt: skip

    def end_of(self, step: int) -> None:
        """Keyframes of whoever came, moved, or went to another parent at this step."""
        known = self.head.field
        number = torch.tensor([self.number_of[splat] for splat in known.splat_id.tolist()])
        parent = torch.where(known.parent >= 0, number[known.parent.clamp_min(0)], -1)
        position, share = known.position, known.log_amplitude.exp()
        more = len(self.ids) - len(self.last.parent)
        was = _Keyframes(
            number, step,
            torch.cat([self.last.position, torch.full((more, position.shape[1]), torch.nan)]),
            torch.cat([self.last.share, torch.full((more,), torch.nan)]),
            torch.cat([self.last.parent, torch.full((more,), -2)]),
        )  # fmt: skip
        # What is new compares with NaN, and so has changed.
        changed = ~(position == was.position[number]).all(1) | (parent != was.parent[number])
        changed |= ~((share - was.share[number]).abs() <= SHARE_SEEN * share)
        seen = number[changed]
        self.frames.append(
            _Keyframes(seen, step, position[changed], share[changed], parent[changed])
        )
        was.position[seen] = position[changed]
        was.share[seen] = share[changed]
        was.parent[seen] = parent[changed]
        self.last = was
        self.steps = step + 1

    def told(self, evidence: LoggedEvidence | None) -> None:
        """What was known of the splats that stand after the step."""
        ids = self.head.field.splat_id.tolist()
        if evidence is None or evidence.mass.numel() != len(ids):
            self.evidence.append(None)
        else:
            number = torch.tensor([self.number_of[splat] for splat in ids])
            self.evidence.append((number, evidence))

    def _evidence(self, name: str) -> Float[Tensor, "S M"]:
        over_time = torch.full((self.steps, len(self.ids)), torch.nan)
        for step, told in enumerate(self.evidence):
            if told is not None:
                over_time[step, told[0]] = values(getattr(told[1], name))
        return over_time

    def recording(
        self, title: str, names: tuple[str, ...], happenings: list[Happening], drawn: tuple
    ) -> Recording:
        """All of it on the map."""
        splat = torch.cat([frame.splat for frame in self.frames])
        step = torch.cat([torch.full_like(f.splat, f.step) for f in self.frames])
        place = principal_axes(torch.cat([frame.position for frame in self.frames]))
        share = torch.cat([frame.share for frame in self.frames])
        parent = torch.cat([frame.parent for frame in self.frames])
        order = splat.argsort(stable=True)  # Steps ascend already.
        return Recording(
            title=title, step_names=names, splat_id=torch.tensor(self.ids),
            level=torch.tensor(self.levels), born=torch.tensor(self.born),
            died=torch.tensor([self.died.get(n, self.steps) for n in range(len(self.ids))]),
            frame_splat=splat[order], frame_step=step[order],
            frame_x=place[order, 0], frame_y=place[order, 1], frame_share=share[order],
            frame_parent=parent[order], happenings=tuple(happenings), curves=drawn,
            mass=self._evidence("mass"), error=self._evidence("error"),
        )  # fmt: skip


def principal_axes(position: Float[Tensor, "F D"]) -> Float[Tensor, "F 2"]:
    """Coordinates along the two directions of most variance, each turned so that its largest
    component is positive: the same positions give the same map.
    """
    centred = position.double() - position.double().mean(0)
    _, axes = torch.linalg.eigh(centred.mT @ centred)
    axes = torch.nn.functional.pad(axes.flip(1)[:, :2], (0, max(0, 2 - axes.shape[1])))
    largest = axes.gather(0, axes.abs().argmax(0, keepdim=True))
    return (centred @ axes * largest.sign()).float()
