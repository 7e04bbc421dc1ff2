"""What happened to every splat, as records of a log (design §8).

A step is one text in one layer. Accepted edits stand there with the tensors that they put, so
that a field is rebuilt without the model and without the texts; of those rolled back, what they
touched and why. Beside them stands what the text told of every splat.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from hsa.adaptation.edit import Edit, Moves, Splats
from hsa.adaptation.evidence_log import LoggedEvidence
from hsa.adaptation.log_file import Record
from hsa.adaptation.settings import AdaptationSettings
from hsa.adaptation.step import HeadStep, Trial
from hsa.field.splat_field import SplatField


@dataclass(frozen=True)
class Start:
    """What a run began from.

    Attributes:
        texts, kept: (name, sha256) of what was learned from and held, and of what was not to be
            forgotten.
        heads: (layer, key/value head, checksum of its field) of all that may change.
    """

    model: str
    fingerprint: str
    settings: AdaptationSettings
    texts: tuple[tuple[str, str], ...]
    kept: tuple[tuple[str, str], ...]
    heads: tuple[tuple[int, int, str], ...]


@dataclass(frozen=True)
class HeadRecord:
    """One head's part of a step; `checksum` is that of its field afterwards."""

    layer: int
    group: int
    step: HeadStep
    checksum: str


@dataclass(frozen=True)
class StepRecord:
    """One text in one layer; `held` texts were judged on and not learned from."""

    number: int
    text: str
    tokens: int
    held: bool
    layer: int
    heads: tuple[HeadRecord, ...]


def checksum(field: SplatField) -> str:
    """sha256 over every bit of a head's splats."""
    digest = hashlib.sha256()
    for tensor in (
        field.frame, field.position, field.log_spread, field.log_amplitude, field.level,
        field.parent, field.splat_id,
    ):  # fmt: skip
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


def start_record(start: Start) -> Record:
    """As a log begins."""
    return Record({"record": "start", **asdict(start)}, b"")


def start_of(record: Record) -> Start:
    """The first record of a log, read."""
    given = dict(record.header)
    assert given.pop("record") == "start"
    settings = dict(given.pop("settings"))
    settings["rules"] = tuple(settings["rules"])
    pairs = {name: tuple(tuple(row) for row in given.pop(name)) for name in
             ("texts", "kept", "heads")}  # fmt: skip
    return Start(settings=AdaptationSettings(**settings), **pairs, **given)


def step_record(step: StepRecord) -> Record:
    """One step as bytes."""
    body: list[bytes] = []
    heads = [
        {
            "group": head.group,
            "checksum": head.checksum,
            "error": head.step.error,
            "reads": head.step.reads,
            "thresholds": head.step.thresholds,
            "splats": head.step.splats,
            "pace": head.step.pace,
            "saved": head.step.saved,
            "trials": [_trial(trial, body) for trial in head.step.trials],
            "told": _told(head.step.evidence, body),
        }
        for head in step.heads
    ]
    header = {
        "record": "step", "number": step.number, "text": step.text, "tokens": step.tokens,
        "held": step.held, "layer": step.layer, "heads": heads,
    }  # fmt: skip
    return Record(header, b"".join(body))


def step_of(record: Record) -> StepRecord:
    """A step, read."""
    given, body = record.header, _Body(record.body)
    heads = tuple(
        HeadRecord(
            given["layer"], head["group"],
            HeadStep(
                tuple(_trial_of(trial, body) for trial in head["trials"]), head["error"],
                head["reads"], tuple(head["thresholds"]), tuple(head["splats"]), head["pace"],
                head["saved"], _told_of(head["told"], body),
            ),
            head["checksum"],
        )
        for head in given["heads"]
    )  # fmt: skip
    return StepRecord(
        given["number"], given["text"], given["tokens"], given["held"], given["layer"], heads
    )


def _told(evidence: LoggedEvidence | None, body: list[bytes]) -> int:
    """How many splats it is of."""
    if evidence is None:
        return 0
    body += [of.contiguous().numpy().tobytes() for of in (evidence.mass, evidence.error)]
    return evidence.mass.numel()


def _told_of(splats: int, body: _Body) -> LoggedEvidence | None:
    if not splats:
        return None
    return LoggedEvidence(body.take(torch.uint8, splats), body.take(torch.uint8, splats))


def _trial(trial: Trial, body: list[bytes]) -> dict:
    return {
        "kind": trial.kind,
        "accepted": trial.accepted,
        "objective": trial.objective,
        "kept_error": trial.kept_error,
        "batches": [[_edit(edit, trial.accepted, body) for edit in b] for b in trial.batches],
    }


def _edit(edit: Edit, accepted: bool, body: list[bytes]) -> dict:
    moved = edit.moved.splat_id if edit.moved is not None else torch.zeros(0)
    described = {
        "kind": edit.kind, "level": edit.level, "removed": edit.removed,
        "put": edit.put.splat_id.tolist(), "moved": moved.numel(), "adopted": edit.adopted,
        "shift": edit.shift, "evidence": round(edit.evidence, 6),
        "threshold": round(edit.threshold, 6),
    }  # fmt: skip
    if accepted:
        put = edit.put
        tensors = [put.parent_id.int(), put.position.half(), put.log_spread.half(),
                   put.log_amplitude]  # fmt: skip
        if edit.moved is not None:
            moved = edit.moved
            tensors += [moved.splat_id.int(), moved.code, moved.step, moved.widened,
                        moved.width_step, moved.weighed]  # fmt: skip
        body += [tensor.contiguous().numpy().tobytes() for tensor in tensors]
        described["dim"] = put.position.shape[1]
    return described


def _trial_of(given: dict, body: _Body) -> Trial:
    kept = given["kept_error"]
    return Trial(
        given["kind"],
        tuple(
            tuple(_edit_of(edit, given["accepted"], body) for edit in batch)
            for batch in given["batches"]
        ),
        given["accepted"],
        tuple(given["objective"]),
        None if kept is None else tuple(kept),
    )


def _edit_of(given: dict, accepted: bool, body: _Body) -> Edit:
    ids = torch.tensor(given["put"], dtype=torch.long)
    many, dim = (ids.numel(), given["dim"]) if accepted else (0, 0)
    moved = None
    if accepted:
        put = Splats(
            ids, body.take(torch.int32, many).long(),
            body.take(torch.float16, many, dim).float(),
            body.take(torch.float16, many, dim).float(), body.take(torch.float32, many),
        )  # fmt: skip
        if count := given["moved"]:
            moved = Moves(
                body.take(torch.int32, count).long(), body.take(torch.int8, count, dim),
                body.take(torch.float32, count), body.take(torch.int8, count, dim),
                body.take(torch.float32, count), body.take(torch.float32, count),
            )  # fmt: skip
    else:
        put = Splats(ids, torch.zeros_like(ids), torch.zeros(len(ids), 0),
                     torch.zeros(len(ids), 0), torch.zeros(len(ids)))  # fmt: skip
    return Edit(
        kind=given["kind"], level=given["level"], removed=tuple(given["removed"]), put=put,
        moved=moved, adopted=tuple((child, to) for child, to in given["adopted"]),
        shift=given["shift"], heirs=_heirs(given), evidence=given["evidence"],
        threshold=given["threshold"],
    )  # fmt: skip


def _heirs(given: dict) -> tuple[tuple[int, int, float], ...]:
    """Whose evidence goes to whom: the two of a mitosis share it, a merge adds it up."""
    share = 1 / max(len(given["put"]), 1)
    return tuple((old, new, share) for old in given["removed"] for new in given["put"])


class _Body:
    """Reads tensors off a record's bytes, in the order in which they were written."""

    def __init__(self, content: bytes) -> None:
        self.content, self.at = content, 0

    def take(self, dtype: torch.dtype, *shape: int) -> Tensor:
        count = 1
        for size in shape:
            count *= size
        if count == 0:
            return torch.zeros(*shape, dtype=dtype)
        size = count * dtype.itemsize
        part = torch.frombuffer(bytearray(self.content[self.at : self.at + size]), dtype=dtype)
        self.at += size
        return part.view(*shape)
