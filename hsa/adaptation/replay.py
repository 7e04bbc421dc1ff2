"""The field at any step, rebuilt from a log bit for bit (design §8)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from hsa.adaptation.edit import Head, apply_edits
from hsa.adaptation.evidence import no_evidence
from hsa.adaptation.lineage import Start, StepRecord, checksum, start_of, step_of
from hsa.adaptation.log_file import MOST, read_records
from hsa.adaptation.step import HeadStep
from hsa.errors import FieldError
from hsa.field.splat_field import SplatField

Fields = Mapping[tuple[int, int], SplatField]
"""Fields by layer and key/value head."""


@dataclass(frozen=True)
class Log:
    """A log, read: `finished` tells a run that ended from one that was stopped or killed."""

    start: Start
    steps: tuple[StepRecord, ...]
    finished: bool

    def head_steps(self) -> Iterator[HeadStep]:
        """What every text did to every head."""
        return (head.step for step in self.steps for head in step.heads)

    @property
    def last_step(self) -> int:
        """The number of the last text, 0 for none."""
        return max((step.number for step in self.steps), default=0)


def read_log(path: Path, most: int = MOST) -> Log:
    """Read a log.

    Args:
        most: bytes of all its records together, unpacked.

    Raises:
        FieldError: it is missing, newer than this program, cut or altered.
    """
    try:
        records = list(read_records(path, most))
        start = start_of(records[0])
        steps = tuple(step_of(r) for r in records[1:] if r.header["record"] == "step")
    except (
        IndexError, KeyError, TypeError, ValueError, AssertionError, RuntimeError, AttributeError
    ) as error:  # fmt: skip
        raise FieldError(
            f"The log {path.name} lacks what it should hold", got=repr(error),
            attempt="restore the file, or run the adaptation again",
        ) from error  # fmt: skip
    return Log(start, steps, records[-1].header["record"] == "end")


def rebuilt(log: Log, fields: Fields, upto: int | None = None, verify: bool = True) -> Fields:
    """The fields after the given step, from those before the first.

    Args:
        fields: at least the heads that the log names.
        upto: a text's number, from 1; all if left out.

    Raises:
        FieldError: other fields than the log began from, or a step that comes out otherwise.
    """
    heads = {}
    for layer, group, wanted in log.start.heads:
        field = fields[layer, group]
        if verify and checksum(field) != wanted:
            raise FieldError(
                "The log began from another field",
                got=f"layer {layer}, key/value head {group}: {checksum(field)[:16]}",
                needed=wanted[:16],
                attempt="name the field that the run began from with --field",
            )
        heads[layer, group] = Head(field, no_evidence(field), int(field.splat_id.max()) + 1)
    for step in log.steps:
        if upto is not None and step.number > upto:
            continue
        for record in step.heads:
            head = heads[record.layer, record.group]
            for trial in record.step.trials:
                for batch in trial.batches if trial.accepted else ():
                    head = apply_edits(head, batch)
            heads[record.layer, record.group] = head
            if verify and checksum(head.field) != record.checksum:
                raise FieldError(
                    "The replay differs from the run",
                    got=f"step {step.number}, layer {record.layer}, key/value head "
                    f"{record.group}: {checksum(head.field)[:16]}",
                    needed=record.checksum[:16],
                    attempt="restore the log, or run the adaptation again",
                )
    return {**fields, **{key: head.field for key, head in heads.items()}}
