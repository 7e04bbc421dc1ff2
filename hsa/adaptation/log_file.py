"""An append-only file of records, each sealed by the one before it.

    magic   8 bytes, the last of them the format's number
    record  length (4 bytes), sha256 of the seal before and this payload (32 bytes), payload
    payload length of the header (4 bytes), JSON header and body, both packed by LZMA2

A record is written whole or not at all as far as a reader sees: what a kill leaves of one is
told from damage by where it stands, and `mend` drops it.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hsa.errors import FieldError

FORMAT = 3
MAGIC = b"HSA-LOG" + bytes([FORMAT])
SEAL = 32
MOST = 1 << 30
"""Bytes that no single record reaches."""


@dataclass(frozen=True)
class Record:
    """A JSON header and bytes."""

    header: dict
    body: bytes


FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 6}]


def _packed(content: bytes) -> bytes:
    """A fifth smaller than by deflate; records carry checksums of their own."""
    return lzma.compress(content, format=lzma.FORMAT_RAW, filters=FILTERS)


def _unpacked(content: bytes, most: int) -> bytes:
    """Never more than `most` bytes, however much is packed in few.

    Raises:
        FieldError: there are more, or they do not unpack.
    """
    unpacking = lzma.LZMADecompressor(format=lzma.FORMAT_RAW, filters=FILTERS)
    try:
        found = unpacking.decompress(content, max_length=most + 1)
    except lzma.LZMAError as error:
        raise FieldError("A record of the log does not unpack", got=str(error)) from error
    if len(found) > most:
        raise FieldError(
            "The log is too large", got=f"more than {most:,} bytes when unpacked",
            needed="a shorter log, or more memory",
        )  # fmt: skip
    if not unpacking.eof:
        raise FieldError("A record of the log does not unpack", got="a part of its content")
    return found


class LogWriter:
    """Appends records, each on the disk before `append` returns."""

    def __init__(self, path: Path, seal: bytes = b"") -> None:
        self.path, self.seal = path, seal

    @staticmethod
    def create(path: Path) -> LogWriter:
        """A new, empty log in the place of whatever was there."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.write(MAGIC)
            file.flush()
            os.fsync(file.fileno())
        return LogWriter(path)

    @staticmethod
    def reopen(path: Path) -> LogWriter:
        """Continue after the last whole record; a part of one, left by a kill, is dropped."""
        end, seal = mend(path)
        os.truncate(path, end)
        return LogWriter(path, seal)

    def append(self, record: Record) -> None:
        """Write one record."""
        text = json.dumps(record.header, separators=(",", ":"), allow_nan=False)
        header = _packed(text.encode())
        payload = len(header).to_bytes(4, "little") + header + _packed(record.body)
        self.seal = hashlib.sha256(self.seal + payload).digest()
        with self.path.open("ab") as file:
            file.write(len(payload).to_bytes(4, "little") + self.seal + payload)
            file.flush()
            os.fsync(file.fileno())


def read_records(path: Path, most: int = MOST) -> Iterator[Record]:
    """Every record, in order.

    Args:
        most: bytes of all records together, unpacked.

    Raises:
        FieldError: no log, one of a newer program, or one that was cut or altered.
    """
    content = _content(path)
    for payload, _, _ in _payloads(content, path):
        length = int.from_bytes(payload[:4], "little")
        header, body = payload[4 : 4 + length], payload[4 + length :]
        text = _unpacked(header, most)
        content_of_body = _unpacked(body, most - len(text))
        most -= len(text) + len(content_of_body)
        yield Record(json.loads(text), content_of_body)


def mend(path: Path) -> tuple[int, bytes]:
    """Where the last whole record ends, and its seal; raises where a record was altered."""
    content = _content(path)
    ends = [(len(MAGIC), b"")]
    ends += [(end, seal) for _, seal, end in _payloads(content, path, partial_is_damage=False)]
    return ends[-1]


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise FieldError(
            f"The log {path.name} cannot be read", got=str(error), attempt="check the path"
        ) from error
    if content[:7] != MAGIC[:7]:
        raise FieldError(
            f"{path.name} is no adaptation log", got=f"{len(content)} bytes of another kind",
            needed="a file that `python -m hsa adapt` wrote",
        )  # fmt: skip
    if content[7:8] != MAGIC[7:8]:
        newer = content[7:8] > MAGIC[7:8]
        raise FieldError(
            f"The log {path.name} is of {'a newer' if newer else 'an older'} program",
            got="no format" if len(content) < 8 else f"format {content[7]}",
            needed=f"format {FORMAT}",
            attempt="update HSA Explorer" if newer else "run the adaptation again",
        )
    return content


def _payloads(
    content: bytes, path: Path, partial_is_damage: bool = True
) -> Iterator[tuple[bytes, bytes, int]]:
    """Payload, seal and end of each record."""
    at, seal, number = len(MAGIC), b"", 0
    while at < len(content):
        length = int.from_bytes(content[at : at + 4], "little")
        end = at + 4 + SEAL + length
        if length > MOST or end > len(content):
            if not partial_is_damage:
                return
            raise FieldError(
                f"The log {path.name} was cut",
                got=f"{number} whole records and {len(content) - at} bytes of another",
                needed="whole records",
                attempt="continue it with `python -m hsa adapt --resume`, which drops the part",
            )
        sealed, payload = content[at + 4 : at + 4 + SEAL], content[at + 4 + SEAL : end]
        seal = hashlib.sha256(seal + payload).digest()
        if seal != sealed:
            raise FieldError(
                f"The log {path.name} was altered or damaged",
                got=f"record {number} differs from its checksum",
                needed="the records as they were written",
                attempt="restore the file, or run the adaptation again",
            )
        yield payload, seal, end
        at, number = end, number + 1
