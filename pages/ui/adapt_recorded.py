"""The replay that ships with the app: films of a log that was recorded before."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pages.ui import engine

if TYPE_CHECKING:
    from hsa.adaptation.recording import Recording
    from hsa.adaptation.replay import Log

LOG = Path(__file__).resolve().parents[2] / "assets" / "replays" / "smollm2-dialogue.log"
ABOUT = (
    "Recorded before and shipped with the app: SmolLM2's shipped field read dialogue, texts of "
    "1,024 tokens, while a chapter of Moby-Dick was not to be forgotten. Nothing is computed now "
    "but the replay, which was compared with the log's checksums."
)


@dataclass(frozen=True)
class Film:
    """A recording, and the bytes that the player shows."""

    recording: Recording
    blob: bytes


def recorded_log() -> Log:
    """The log, read.

    Raises:
        FieldError: it is missing, cut or altered.
    """
    from hsa.adaptation.replay import read_log

    return engine.kept(("log", _digest()), "Reading the log", lambda: read_log(LOG))


def recorded_film(log: Log, layer: int, group: int) -> Film:
    """One head of it.

    Raises:
        FieldError: the log began from another field than the one that ships.
        InputError: the log has no such head.
    """
    from hsa.adaptation.film import film_of_log
    from pages.ui.player import encode

    ready = engine.shipped(log.start.model, log.start.fingerprint)
    fields = {
        (at, of): head
        for at, heads in enumerate(ready.field.heads)
        for of, head in enumerate(heads)
    }

    def make() -> Film:
        recording = film_of_log(log, fields, layer, group)
        return Film(recording, encode(recording))

    return engine.kept(("film", _digest(), ready.identity, layer, group), "Replaying", make)


def _digest() -> str:
    return hashlib.sha256(LOG.read_bytes()).hexdigest() if LOG.is_file() else "missing"
