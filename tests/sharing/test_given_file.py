"""Files that somebody gave us: logs whose seals are right and that make no sense."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from hsa.adaptation.log_file import LogWriter, Record, read_records
from hsa.errors import FieldError, HSAError
from hsa.field.checkpoint import load_field
from hsa.field.shipped import shipped_path
from hsa.sharing.given_file import GivenLog, given, rebuild

ROOT = Path(__file__).parents[2]
LOG = ROOT / "assets/replays/smollm2-dialogue.log"


@pytest.fixture(scope="module")
def records() -> list[Record]:
    """The first of them: a log that was stopped is one as well."""
    return list(read_records(LOG))[:8]


@pytest.fixture(scope="module")
def fields() -> dict:
    path = shipped_path("smollm2")
    fingerprint = json.loads(path.with_suffix(".json").read_text())["fingerprint"]
    heads = load_field(path, fingerprint).heads
    return {(at, of): head for at, row in enumerate(heads) for of, head in enumerate(row)}


def sealed(records: list[Record], path: Path) -> bytes:
    """The records as somebody would seal them who knows how."""
    writer = LogWriter.create(path)
    for record in records:
        writer.append(record)
    return path.read_bytes()


def busy(records: list[Record]) -> int:
    """The first step that says anything in tensors."""
    return next(at for at, r in enumerate(records) if r.header["record"] == "step" and r.body)


def changed(records: list[Record], at: int, **changes: object) -> list[Record]:
    altered = Record(records[at].header | changes, records[at].body)
    return [*records[:at], altered, *records[at + 1 :]]


def test_a_sound_log_is_rebuilt(fields: dict) -> None:
    found = given(LOG.read_bytes())
    assert isinstance(found, GivenLog) and found.bytes == LOG.stat().st_size
    assert rebuild(found, fields) == sum(len(step.heads) for step in found.log.steps) > 10
    with pytest.raises(FieldError, match="of another model"):
        rebuild(found, {})


@pytest.mark.parametrize(
    "change",
    [
        lambda r: changed(r, 0, fingerprint=7),
        lambda r: changed(r, 0, texts=[[1, 2]]),
        lambda r: changed(r, 0, texts=[["only a name"]]),
        lambda r: changed(r, 0, heads=[["8", 0, "x"]]),
        lambda r: changed(r, 0, settings=[]),
        lambda r: changed(r, 0, record="step"),
        lambda r: changed(r, 2, number="second"),
        lambda r: changed(r, 2, text="x" * 501),
        lambda r: changed(r, 2, heads=3),
        lambda r: changed(r, busy(r), streams={}),
        lambda r: [],
    ],
)
def test_logs_that_make_no_sense_are_refused(
    records: list[Record], tmp_path: Path, change: Callable[[list[Record]], list[Record]]
) -> None:
    with pytest.raises(HSAError):
        given(sealed(change(records), tmp_path / "a.log"))


def test_steps_that_make_no_sense_are_refused_when_rebuilt(
    records: list[Record], tmp_path: Path, fields: dict
) -> None:
    at = busy(records)
    body = bytearray(records[at].body)
    body[: len(body) // 2] = bytes(255 - byte for byte in body[: len(body) // 2])
    spoilt = [*records[:at], Record(records[at].header, bytes(body)), *records[at + 1 :]]
    with pytest.raises(HSAError):
        found = given(sealed(spoilt, tmp_path / "a.log"))
        assert isinstance(found, GivenLog)
        rebuild(found, fields)
