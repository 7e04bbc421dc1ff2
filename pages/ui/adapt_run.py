"""One visitor's adaptation: a run over texts in a thread of its own, watched from the page.

The worker never touches Streamlit. It fills a `Run`, whose fields are replaced and never changed,
so that the page may read them at any time; fields of splats are frozen, and nobody else's.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import engine
from pages.ui.adapt_recorded import Film
from pages.ui.background import Job

if TYPE_CHECKING:
    from hsa.adaptation.lineage import StepRecord
    from hsa.adaptation.settings import AdaptationSettings
    from hsa.field.model_field import ModelField
    from hsa.fitting.settings import Text
    from hsa.models.loaded import LoadedModel
    from pages.ui.engine import ReadyField

UNSEEN_SECONDS = 900.0
"""A run outlives a look at other pages, but not a closed tab for long."""

_KEY = "adaptation"


@dataclass
class Run:
    """What a run was given, and how far it has come.

    Attributes:
        heads: (layer, key/value head) of all that may change.
        kept: texts that must not be forgotten.
        number: of the text that is being read, from 1; 0 before the first.
        records: what every text did to every layer.
        passed_over: names of texts that were too short to say anything.
        after: the model's field as the run left it; None while it goes on.
        adapted: that field ready for use, once somebody asked for it.
        stage: "waiting", "reading", "done" or "stopped".
    """

    loaded: LoadedModel
    ready: ReadyField
    heads: tuple[tuple[int, int], ...]
    settings: AdaptationSettings
    texts: tuple[Text, ...]
    kept: tuple[Text, ...] = ()
    number: int = 0
    records: tuple[StepRecord, ...] = ()
    passed_over: tuple[str, ...] = ()
    after: ModelField | None = None
    adapted: ReadyField | None = None
    stage: str = "waiting"
    job: Job | None = None
    films: dict[tuple[int, int], tuple[int, Film]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Gone with the last who knows this run.
        self.folder = tempfile.TemporaryDirectory(prefix="hsa-adapt-", ignore_cleanup_errors=True)
        self.log = Path(self.folder.name) / "adaptation.log"

    @property
    def going(self) -> bool:
        """Whether the worker still works, or waits for its turn."""
        return self.job is not None and self.job.live

    @property
    def about(self) -> str:
        """What the film of this run is, in words."""
        texts = f"{len(self.texts)} texts" if len(self.texts) > 1 else "1 text"
        return (
            f"Your run: {self.loaded.title}'s field ({self.ready.origin}) read {texts}, at most "
            f"{self.settings.tokens_per_text:,} tokens of each."
        )

    def work(self, job: Job) -> None:
        """Read text after text until the last, or until somebody stops it."""
        from hsa.fitting.adapt import Which, adapt

        groups: dict[int, tuple[int, ...]] = {}
        for layer, group in self.heads:
            groups[layer] = (*groups.get(layer, ()), group)
        self.stage = "reading"
        adapted = adapt(
            self.loaded, self.ready.field, self.texts, self.settings, Which(groups), self.log,
            self.kept, self._next_text, self._told, job.stopped,
        )  # fmt: skip
        self.passed_over, self.after = adapted.passed_over, adapted.field
        self.stage = "stopped" if adapted.stopped else "done"

    def _next_text(self, sentence: str, fraction: float | None) -> None:
        self.number += 1

    def _told(self, step: StepRecord) -> None:
        self.records = (*self.records, step)

    def outcome(self) -> ReadyField:
        """The field as the run left it, under the name of its content."""
        if self.adapted is None:
            assert self.after is not None
            self.adapted = engine.named(self.after, "adapted here")
        return self.adapted

    def film(self, layer: int, group: int) -> Film:
        """The film so far of one head; made anew when there is more to show."""
        from hsa.adaptation.film import film
        from pages.ui.player import encode

        records = [record for record in self.records if record.layer == layer]
        known = self.films.get((layer, group))
        if known is None or known[0] != len(records):
            of_head = [
                (head.step, record.text + (", held to judge on" if record.held else ""))
                for record in records
                for head in record.heads
                if head.group == group
            ]
            recording = film(
                self.ready.field.heads[layer][group],
                [step for step, _ in of_head],
                [name for _, name in of_head],
                f"{self.loaded.name}: layer {layer}, key/value head {group}",
            )
            known = self.films[layer, group] = (len(records), Film(recording, encode(recording)))
        return known[1]


def current() -> Run | None:
    """This visitor's last run, going on or ended."""
    run = st.session_state.get(_KEY)
    if run is not None and run.job is not None:
        run.job.look()
    return run


def start(
    loaded: LoadedModel,
    ready: ReadyField,
    heads: Sequence[tuple[int, int]],
    settings: AdaptationSettings,
    texts: Sequence[Text],
    not_to_forget: Sequence[Text] = (),
) -> Run:
    """Begin, in place of whatever run this visitor had."""
    drop()
    run = Run(loaded, ready, tuple(heads), settings, tuple(texts), tuple(not_to_forget))
    run.job = Job(run.work, unseen_seconds=UNSEEN_SECONDS)
    st.session_state[_KEY] = run
    return run


def drop() -> None:
    """Forget the run; a worker that still works ends as soon as it can."""
    run = st.session_state.pop(_KEY, None)
    if run is not None and run.job is not None:
        run.job.abandon()
