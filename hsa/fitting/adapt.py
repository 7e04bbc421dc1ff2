"""Adapt a model's field to a stream of texts, every moment of it in a log (design §8)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hsa.activations import Activations
from hsa.adaptation.lineage import (
    HeadRecord,
    Start,
    StepRecord,
    checksum,
    start_record,
    step_record,
)
from hsa.adaptation.log_file import LogWriter, Record
from hsa.adaptation.replay import read_log
from hsa.adaptation.settings import AdaptationSettings
from hsa.adaptation.step import HeadStep
from hsa.adaptation.strategy import LayerAdaptation
from hsa.attention.spending import Spending, sensible_reads, spend
from hsa.errors import InputError
from hsa.field.model_field import ModelField, Source
from hsa.fitting.settings import Progress, Text
from hsa.fitting.windows import first_tokens
from hsa.models.capture import capture
from hsa.models.loaded import LoadedModel
from hsa.tokens import Tokens

LEAST_TOKENS = 24
"""Texts below this say nothing of far keys; they are passed over, and said so."""

Told = Callable[[StepRecord], None]


@dataclass(frozen=True)
class Which:
    """Heads that may change: key/value heads by layer."""

    groups: Mapping[int, tuple[int, ...]]

    @staticmethod
    def all(field: ModelField) -> Which:
        return Which({n: tuple(range(len(heads))) for n, heads in enumerate(field.heads)})


@dataclass(frozen=True)
class Adapted:
    """The field after the last text, and the texts that were too short to say anything.

    Attributes:
        held: error on the held texts, of the field before and after: the mean over heads of
            geometric means over texts. None where no text was held.
    """

    field: ModelField
    passed_over: tuple[str, ...]
    stopped: bool
    held: tuple[float, float] | None


class Adaptation:
    """A run over texts, layer by layer; `LayerAdaptation` does the work of each.

    Args:
        log: file of the log; none keeps the run in memory alone.
        kept: texts whose error must not rise.
    """

    def __init__(
        self,
        loaded: LoadedModel,
        field: ModelField,
        which: Which,
        settings: AdaptationSettings,
        log: Path | None = None,
        kept: Sequence[Text] = (),
    ) -> None:
        self.loaded, self.field, self.which, self.settings = loaded, field, which, settings
        self.kept_texts = tuple(kept)
        self.log_path = log
        self.layers = {layer: self._layer(layer) for layer in sorted(which.groups)}
        self.writer: LogWriter | None = None
        self.number = 0
        self._plans: dict[int, tuple[Spending, ...]] = {}
        self._decided: dict[tuple[int, int], list[HeadStep]] = {}

    def _layer(self, layer: int) -> LayerAdaptation:
        groups = len(self.field.heads[layer])
        return LayerAdaptation(
            self.field.heads[layer],
            self.field.temper[layer].view(groups, -1, 3),
            self.field.tilt[layer].view(groups, -1, 3),
            lambda tokens: self._spending(tokens)[layer],
            self.settings,
            layer,
            self.which.groups[layer],
        )

    def _spending(self, tokens: int) -> tuple[Spending, ...]:
        """Reads are fixed: they depend on the length of a text alone."""
        if tokens not in self._plans:
            if len(self._plans) > 64:
                self._plans.clear()
            reads = sensible_reads(tokens)
            self._plans[tokens] = spend(self.field, reads, tokens, "per_head")
        return self._plans[tokens]

    def begin(self, texts: Sequence[Text]) -> None:
        """Start the log and read the texts that must not be forgotten."""
        start = self._start(texts)
        if self.log_path is not None:
            self.writer = LogWriter.create(self.log_path)
            self.writer.append(start_record(start))
        self._keep_texts()

    def _start(self, texts: Sequence[Text]) -> Start:
        return Start(
            self.loaded.name, self.loaded.fingerprint, self.settings,
            tuple((text.name, text.sha256) for text in texts),
            tuple((text.name, text.sha256) for text in self.kept_texts),
            tuple(
                (layer, group, checksum(self.field.heads[layer][group]))
                for layer, groups in sorted(self.which.groups.items())
                for group in groups
            ),
        )  # fmt: skip

    def _keep_texts(self) -> None:
        for text in self.kept_texts:
            tokens = self._tokens(text)
            if tokens is not None:
                self._capture(tokens, lambda layer, given: self.layers[layer].keep(given))

    def read(self, text: Text, told: Told = lambda step: None) -> int:
        """Learn from one text; the tokens read of it, none when it is too short."""
        tokens = self._tokens(text)
        self.number += 1
        if tokens is None:
            return 0

        def step(layer: int, given: Activations) -> None:
            record = self._step(layer, given, text)
            if record is not None:
                told(record)

        self._capture(tokens, step)
        return len(tokens)

    def resume(self, texts: Sequence[Text]) -> None:
        """Take up a log where it ends; what it decided is not searched anew.

        Texts that it has read are read again, for what they said of the splats: the log keeps
        what was decided, not what it was decided by.

        Raises:
            FieldError: no log, a damaged one, or one of another field.
            InputError: other texts, heads or settings than it began with.
        """
        assert self.log_path is not None
        self.writer = LogWriter.reopen(self.log_path)
        log = read_log(self.log_path)
        if log.start != self._start(texts):
            raise InputError(
                "The log cannot be continued so",
                got="other texts, heads, settings or another field than it began with",
                needed="the same as before, in the same order",
                attempt="give the same arguments, or another --out",
            )
        if log.finished:
            raise InputError(
                "The log is finished", got=f"all {log.last_step} texts read",
                attempt="give the adapted field as --field, and another --out",
            )  # fmt: skip
        self._keep_texts()
        decided = {(step.number, step.layer): step for step in log.steps}
        self._decided = {key: [head.step for head in step.heads] for key, step in decided.items()}

    def _step(self, layer: int, given: Activations, text: Text) -> StepRecord | None:
        adaptation = self.layers[layer]
        decided = self._decided.get((self.number, layer))
        if decided is not None:
            adaptation.read(given, decided)
            return None
        held = adaptation.holds_next
        steps = adaptation.read(given)
        record = StepRecord(
            self.number, text.name, given.tokens, held, layer,
            tuple(
                HeadRecord(layer, group, step, checksum(adaptation.fields[group]))
                for group, step in zip(adaptation.groups, steps, strict=True)
            ),
        )  # fmt: skip
        if self.writer is not None:
            self.writer.append(step_record(record))
        return record

    def end(self) -> None:
        """Close the log: the run ended of its own."""
        if self.writer is not None:
            self.writer.append(Record({"record": "end", "texts": self.number}, b""))

    def adapted(self, sources: Sequence[Source] = ()) -> ModelField:
        """The model's field as it is now. What reads buy was measured before; it stays."""
        heads = list(self.field.heads)
        for layer, adaptation in self.layers.items():
            heads[layer] = tuple(adaptation.fields)
        return replace(self.field, heads=tuple(heads), fitted_on=(*self.field.fitted_on, *sources))

    def on_held(self) -> tuple[float, float] | None:
        """Mean error on the held texts, of the field that the run began from and of the present."""
        pairs = [pair for layer in self.layers.values() for pair in layer.on_held()]
        if not pairs:
            return None
        before, after = (sum(of) / len(pairs) for of in zip(*pairs, strict=True))
        return before, after

    def _tokens(self, text: Text) -> Tokens | None:
        if not text.content.strip():
            return None
        most = min(self.settings.tokens_per_text, self.loaded.max_tokens)
        # Only as many characters as could be read: a text of megabytes is not tokenised whole.
        tokens = first_tokens(self.loaded.tokenize(text.content[: 16 * most]), most)
        return tokens if len(tokens) >= LEAST_TOKENS else None

    def _capture(self, tokens: Tokens, consumer: Callable[[int, Activations], None]) -> None:
        """Forward passes run where the model is; fields live, and change, in the main memory."""

        def here(layer: int, given: Activations) -> None:
            consumer(layer, given.to("cpu"))

        capture(self.loaded, tokens, sorted(self.layers), here)


def adapt(
    loaded: LoadedModel,
    field: ModelField,
    texts: Sequence[Text],
    settings: AdaptationSettings,
    which: Which | None = None,
    log: Path | None = None,
    kept: Sequence[Text] = (),
    report: Progress = lambda sentence, fraction: None,
    told: Told = lambda step: None,
    stop: Callable[[], bool] = lambda: False,
    resume: bool = False,
) -> Adapted:
    """Read texts one after the other; the field after the last.

    Args:
        resume: continue the log that is there. Texts that it has read are read again without
            their edits being searched anew: what was decided is taken from it.
        stop: asked before every text.

    Raises:
        InputError: no text is long enough to learn from, or `resume` with other texts.
    """
    run = Adaptation(loaded, field, which or Which.all(field), settings, log, kept)
    if resume:
        run.resume(texts)
    else:
        run.begin(texts)
    passed, sources, stopped = [], [], False
    for number, text in enumerate(texts):
        if stop():
            stopped = True
            break
        report(f"Reading {text.name}", number / len(texts))
        if tokens := run.read(text, told):
            sources.append(text.source(tokens))
        else:
            passed.append(text.name)
    if not stopped and len(passed) == len(texts):
        raise InputError(
            "There is nothing to learn from", got=f"{len(texts)} texts, all of them shorter "
            f"than {LEAST_TOKENS} tokens", needed="texts of some sentences",
            attempt="choose longer texts",
        )  # fmt: skip
    if not stopped:
        run.end()
    return Adapted(run.adapted(sources), tuple(passed), stopped, run.on_held())
