"""A reference corpus made ready: passages with their annotations, and what could not be told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hsa.errors import ModelError
from hsa.models.cache import Progress
from hsa.models.loaded import LoadedModel
from hsa.specialization.annotation import Annotation, annotate
from hsa.specialization.passages import Passage, passages
from hsa.specialization.pipeline import TITLE, parser
from hsa.specialization.words import (
    ENGLISH_AT_LEAST,
    Words,
    english_share,
    parsed_words,
    surface_words,
)

LEFT_OUT = "Parts of speech, dependencies, entities and time"


@dataclass(frozen=True)
class Corpus:
    """Passages and the functions of their tokens and pairs.

    Attributes:
        parsed: whether a parser read them; otherwise only surface functions are told.
        notes: sentences for the reader about what could not be told, and why.
    """

    passages: tuple[Passage, ...]
    annotations: tuple[Annotation, ...]
    parsed: bool
    notes: tuple[str, ...] = ()

    @property
    def tokens(self) -> int:
        """Tokens in all."""
        return sum(len(passage.tokens) for passage in self.passages)


def corpus(
    loaded: LoadedModel,
    texts: Sequence[str],
    tokens: int = 52_000,
    window: int = 1024,
    progress: Progress | None = None,
) -> Corpus:
    """Cut texts into passages, parse and annotate them.

    Without a parser, or in a language that it does not read, the functions that tokens themselves
    show are told all the same.

    Args:
        window: most tokens of a passage.

    Raises:
        InputError: there is too little text.
    """
    found = passages(loaded, texts, min(window, loaded.max_tokens), tokens)
    words, notes = _words(found, progress)
    annotations = [
        annotate(passage, of, loaded.causal) for passage, of in zip(found, words, strict=True)
    ]
    return Corpus(tuple(found), tuple(annotations), any(w.parsed for w in words), notes)


def _words(
    found: Sequence[Passage], progress: Progress | None
) -> tuple[list[Words], tuple[str, ...]]:
    surface = [surface_words(passage) for passage in found]
    try:
        reads = parser()
    except ModelError as absent:
        return surface, (f"{absent} {LEFT_OUT} are left out.",)
    sample = "\n".join(passage.text for passage in found[:: max(1, len(found) // 8)])
    english = english_share(reads, sample)
    if english < ENGLISH_AT_LEAST:
        note = (
            f"{english:.0%} of the words are English function words, where English text has near "
            f"a half: {TITLE} cannot read it. {LEFT_OUT} are left out."
        )
        return surface, (note,)
    words = []
    docs = reads.pipe((passage.text for passage in found), batch_size=8)
    for at, (passage, doc) in enumerate(zip(found, docs, strict=True)):
        if progress is not None:
            progress(f"Parsing passage {at + 1} of {len(found)}", at / len(found))
        words.append(parsed_words(passage, doc))
    return words, ()
