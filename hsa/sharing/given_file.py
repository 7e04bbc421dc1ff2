"""What a file is that somebody gave us: a bundle, a field or a log, told by its content.

Names in an archive are looked at and never used as paths; nothing is run or unpickled.
"""

from __future__ import annotations

import hashlib
import io
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from hsa.adaptation.log_file import MAGIC
from hsa.adaptation.replay import Fields, Log, read_log, rebuilt
from hsa.errors import FieldError, InputError
from hsa.field.checkpoint import description, unpacked
from hsa.field.model_field import ModelField
from hsa.field.sound import check_sound
from hsa.sharing import bundle_file
from hsa.sharing.bundle import Bundle

MOST_LOG_BYTES = 200_000_000
"""Of a log, unpacked."""


@dataclass(frozen=True)
class GivenField:
    """A sound field; whether it fits a model is told once the model is at hand."""

    field: ModelField
    checksum: str


@dataclass(frozen=True)
class GivenLog:
    """A log that could be read; `rebuild` tells whether it is sound."""

    log: Log
    bytes: int
    sha256: str


Given = Bundle | GivenField | GivenLog


def given(content: bytes) -> Given:
    """What the file holds.

    Raises:
        InputError: none of the three, too large, damaged or altered.
        FieldError: a field or log that is damaged, of a newer program or not sound.
    """
    if len(content) > bundle_file.MOST_BYTES:
        raise InputError(
            "The file is too large", got=f"{len(content):,} bytes",
            needed=f"at most {bundle_file.MOST_BYTES:,}",
        )  # fmt: skip
    if content[:7] == MAGIC[:7]:
        return _log(content)
    halves = _halves_of_a_field(content)
    return bundle_file.read(content) if halves is None else _field(*halves)


def rebuild(given: GivenLog, fields: Fields) -> int:
    """Rebuild every step of a log from the fields it began with; returns the steps compared.

    Raises:
        FieldError: it began from other fields, comes out otherwise, or makes no sense.
    """
    lacking = [head[:2] for head in given.log.start.heads if tuple(head[:2]) not in fields]
    if lacking:
        raise FieldError("The log is of another model", got=f"layer and head {lacking[0]}")
    try:
        rebuilt(given.log, fields)
    except (
        IndexError, KeyError, TypeError, ValueError, RuntimeError, AssertionError, AttributeError
    ) as error:  # fmt: skip
        raise FieldError(
            "The log makes no sense", got=str(error)[:200], attempt="ask for the file again"
        ) from error
    return sum(len(step.heads) for step in given.log.steps)


def _log(content: bytes) -> GivenLog:
    with tempfile.TemporaryDirectory(prefix="hsa-given-") as folder:
        path = Path(folder) / "given.log"
        path.write_bytes(content)
        log = read_log(path, MOST_LOG_BYTES)
    _check_words(log)
    return GivenLog(log, len(content), hashlib.sha256(content).hexdigest())


def _check_words(log: Log) -> None:
    """What a log says in words and whole numbers, before anybody shows or counts it."""
    start = log.start
    names = [name for pair in (*start.texts, *start.kept) for name in pair]
    texts = [start.model, start.fingerprint, *names, *(step.text for step in log.steps)]
    wholes = [at for head in start.heads for at in head[:2]]
    wholes += [at for step in log.steps for at in (step.number, step.layer)]
    wholes += [head.group for step in log.steps for head in step.heads]
    kinds = [trial.kind for step in log.head_steps() for trial in step.trials]
    sound = all(len(pair) == 2 for pair in (*start.texts, *start.kept))
    sound = sound and all(len(head) == 3 for head in start.heads)
    sound = sound and all(isinstance(text, str) and len(text) <= 500 for text in texts + kinds)
    if not sound or not all(type(whole) is int and whole >= 0 for whole in wholes):
        raise FieldError(
            "The log makes no sense", got="names or numbers of another kind than a log's",
            attempt="ask for the file again",
        )  # fmt: skip


def _halves_of_a_field(content: bytes) -> tuple[bytes, bytes] | None:
    """Both files of a field, if the file is a zip of these and of nothing else."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = {Path(entry.filename).suffix: entry for entry in archive.infolist()}
            if set(entries) != {".safetensors", ".json"} or len(archive.infolist()) != 2:
                return None
            return (
                _part(archive, entries[".safetensors"], bundle_file.MOST[bundle_file.FIELD]),
                _part(archive, entries[".json"], bundle_file.MOST[bundle_file.FIELD_TEXT]),
            )
    except (
        zipfile.BadZipFile, zlib.error, ValueError, NotImplementedError, EOFError, OSError,
        RuntimeError,
    ):  # fmt: skip
        return None  # a bundle or nothing: its reader says what is wrong


def _part(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, most: int) -> bytes:
    with archive.open(entry) as part:
        found = part.read(most + 1)
    if len(found) > most:
        raise FieldError(
            "The field is too large", got=f"more than {most:,} bytes when unpacked",
            needed=f"at most {most:,}",
        )  # fmt: skip
    return found


def _field(tensors: bytes, described: bytes) -> GivenField:
    field = unpacked(tensors, described, None, bundle_file.FIELD)
    check_sound(field)
    return GivenField(field, description(described, bundle_file.FIELD)["sha256"])
