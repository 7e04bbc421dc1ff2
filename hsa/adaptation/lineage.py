"""What happened to every splat, as records of a log (design §8).

A step is one text in one layer: what was tried in each head and what came of it, and what the
text told of every splat. A field is rebuilt from it without the model and without the texts.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass

import torch

from hsa.adaptation.edit_record import described, edit_of
from hsa.adaptation.evidence_log import LoggedEvidence
from hsa.adaptation.log_file import Record
from hsa.adaptation.packed import Packing, Unpacking
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
    body = Packing()
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
        "held": step.held, "layer": step.layer, "heads": heads, "streams": body.lengths(),
    }  # fmt: skip
    return Record(header, body.content())


def step_of(record: Record) -> StepRecord:
    """A step, read."""
    given = record.header
    body = Unpacking(record.body, given["streams"])
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


def _told(evidence: LoggedEvidence | None, body: Packing) -> int:
    """How many splats it is of."""
    if evidence is None:
        return 0
    body.put(told_mass=evidence.mass, told_error=evidence.error)
    return evidence.mass.numel()


def _told_of(splats: int, body: Unpacking) -> LoggedEvidence | None:
    if not splats:
        return None
    of = (body.take(name, torch.uint8, splats) for name in ("told_mass", "told_error"))
    return LoggedEvidence(*of)


def _trial(trial: Trial, body: Packing) -> dict:
    return {
        "kind": trial.kind,
        "accepted": trial.accepted,
        "objective": trial.objective,
        "kept_error": trial.kept_error,
        "batches": [[described(edit, trial.accepted, body) for edit in b] for b in trial.batches],
    }


def _trial_of(given: dict, body: Unpacking) -> Trial:
    kept = given["kept_error"]
    return Trial(
        given["kind"],
        tuple(
            tuple(edit_of(edit, given["accepted"], body) for edit in batch)
            for batch in given["batches"]
        ),
        given["accepted"],
        tuple(given["objective"]),
        None if kept is None else tuple(kept),
    )
