"""One layer under adaptation: texts in; edits proposed, judged, kept or rolled back (design §8)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hsa.activations import Activations
from hsa.adaptation.buffer import Buffer, ByGroup, GroupFields
from hsa.adaptation.edit import apply_edits
from hsa.adaptation.event import Event
from hsa.adaptation.evidence_log import logged
from hsa.adaptation.head_state import HeadState, HeadStates
from hsa.adaptation.held import one_block
from hsa.adaptation.observe import Observation, observe
from hsa.adaptation.propose import Allowance
from hsa.adaptation.seeds import Seeds
from hsa.adaptation.settings import AdaptationSettings
from hsa.adaptation.step import HeadStep, Trial
from hsa.attention.spending import Spending
from hsa.field.layer_field import LayerField, stack
from hsa.field.splat_field import SplatField

ONE_BLOCK = 8
"""Queries of a text up to which one block of it is enough; each block costs as much again."""

SpendingFor = Callable[[int], Spending]
"""Reads of the layer's heads in a text of so many tokens."""


class LayerAdaptation:
    """Adapts the fields of one layer's chosen key/value heads, text by text.

    Args:
        groups: key/value heads that may change; the others stay as they are.
    """

    def __init__(
        self,
        fields: Sequence[SplatField],
        temper: Float[Tensor, "G R 3"],
        tilt: Float[Tensor, "G R 3"],
        spending: SpendingFor,
        settings: AdaptationSettings,
        layer: int,
        groups: Sequence[int] | None = None,
    ) -> None:
        self.buffer = Buffer(fields, temper, tilt, settings)
        self.temper, self.tilt, self.spending = temper, tilt, spending
        self.settings, self.layer = settings, layer
        self.groups = tuple(range(len(fields)) if groups is None else groups)
        self.seeds = Seeds(settings.seed, layer)
        self.states = [HeadState.at_first(field, settings) for field in fields]
        self.texts = self.events = self.tokens_waiting = self.texts_waiting = 0

    @property
    def fields(self) -> list[SplatField]:
        """The fields as they are now."""
        return [state.head.field for state in self.states]

    @property
    def holds_next(self) -> bool:
        """Whether the next text is held to judge on, and not learned from."""
        return self.texts % self.settings.hold_every == 0

    def stacked(self) -> LayerField:
        """The layer's field as attention reads it."""
        return stack(self.fields, self.temper, self.tilt)

    def keep(self, activations: Activations) -> None:
        """A text of what must not be forgotten: its error must not rise, and its keys are among
        those that splats follow.

        A bound alone hardly holds: it is asked of few queries. With dialogue, whose texts are
        half as long, the error of layers 8, 15, 18 and 27 on ten texts of the first domain rose
        by 8 to 59 % in spite of it.
        """
        self.buffer.keep(activations, self.spending(activations.tokens))
        most = round(self.settings.rehearsal * self.settings.keys_kept)
        for group, seen in self._observed(activations)[1].items():
            state = self.states[group]
            generator = self.seeds.generator(group, f"kept {len(self.buffer.kept)}")
            state.kept_keys = state.kept_keys.joined(seen.x, seen.received, most, generator)

    def read(
        self, activations: Activations, decided: Sequence[HeadStep] | None = None
    ) -> list[HeadStep]:
        """Learn from a text, or hold it; then, when one is due, try an event.

        Args:
            decided: what an earlier run did with this text, one a head. Nothing is judged anew:
                its edits are applied, and all stands as it stood there.
        """
        held = self.holds_next
        self.texts += 1
        if held:
            self.hold(activations)
            if decided is not None:
                return self._recalled(decided)
            return self._steps({}, self.buffer.on_newest(self._fields()), 0.0, learned=False)
        error, reads = self._learn(activations)
        self.tokens_waiting += activations.tokens
        self.texts_waiting += 1
        due = (
            self.texts_waiting >= self.settings.every_texts
            and self.tokens_waiting >= self.settings.every_tokens
        )
        if due:
            self.texts_waiting = self.tokens_waiting = 0
        if decided is not None:
            self.events += due
            return self._recalled(decided)
        return self._steps(self._event() if due else {}, error, reads)

    def hold(self, activations: Activations) -> None:
        """A text to judge on: never learned from, forgotten when newer ones come."""
        self.buffer.hold(activations, self.spending(activations.tokens))

    def on_held(self) -> list[tuple[float, float]]:
        """Error of each chosen head at the ends of the held texts: of the field that it began
        from, and now; nothing where no text was held.
        """
        before = self.buffer.at_the_ends({group: self.buffer.first[group] for group in self.groups})
        now = self.buffer.at_the_ends(self._fields())
        return [(before[group], now[group]) for group in before]

    def _event(self) -> dict[int, list[Trial]]:
        event = Event(self._changing(), self.buffer, self.settings, self.seeds, self.events)
        self.events += 1
        return event.run()

    def _changing(self) -> HeadStates:
        return {group: self.states[group] for group in self.groups}

    def _fields(self) -> GroupFields:
        return {group: state.head.field for group, state in self._changing().items()}

    def _learn(self, activations: Activations) -> tuple[ByGroup, float]:
        reads, seen = self._observed(activations)
        rehearsed = self.settings.rehearsal if self.buffer.kept else 0.0
        most = round((1 - rehearsed) * self.settings.keys_kept)
        for group, of_text in seen.items():
            state = self.states[group]
            evidence = state.head.evidence.blend(of_text.seen, self.settings.history)
            state.head = replace(state.head, evidence=evidence)
            generator = self.seeds.generator(group, self.texts)
            state.keys = state.keys.joined(of_text.x, of_text.received, most, generator)
        return {group: float(of_text.error.mean()) for group, of_text in seen.items()}, reads

    def _observed(self, activations: Activations) -> tuple[float, dict[int, Observation]]:
        """Reads a query, and what the text says of each head."""
        spending, queries = self.spending(activations.tokens), self._queries(activations)
        seen = observe(activations, self.fields, self.stacked(), spending, queries)
        return float(spending.reads.float().mean()), {group: seen[group] for group in self.groups}

    def _queries(self, activations: Activations) -> Int[Tensor, " Q"]:
        """Queries to compare: few from the text's end, which share one snapshot of moments; more
        than `ONE_BLOCK` from its middle too.
        """
        wanted, tokens = self.settings.queries, activations.tokens
        if wanted <= ONE_BLOCK or tokens < 16:
            return one_block(activations, wanted, tokens)
        half = wanted // 2
        both = [one_block(activations, half, end) for end in (tokens // 2, tokens)]
        return torch.cat(both).unique()

    def _recalled(self, decided: Sequence[HeadStep]) -> list[HeadStep]:
        for group, step in zip(self.groups, decided, strict=True):
            state = self.states[group]
            for trial in step.trials:
                for batch in trial.batches if trial.accepted else ():
                    state.head = apply_edits(state.head, batch)
            state.pace = step.pace
            state.allowance = Allowance(dict(step.saved))
            state.thresholds = tuple(
                replace(of, values=dict(values))
                for of, values in zip(state.thresholds, step.thresholds, strict=True)
            )
        return list(decided)

    def _steps(
        self, trials: dict[int, list[Trial]], error: ByGroup, reads: float,
        learned: bool = True,
    ) -> list[HeadStep]:  # fmt: skip
        steps = []
        for group in self.groups:
            state = self.states[group]
            level = state.head.field.level
            steps.append(
                HeadStep(
                    tuple(trials.get(group, ())), error[group], reads,
                    tuple(dict(of.values) for of in state.thresholds),
                    tuple(int((level == at).sum()) for at in range(3)),
                    state.pace, dict(state.allowance.saved),
                    logged(state.head.evidence) if learned else None,
                )
            )  # fmt: skip
        return steps
