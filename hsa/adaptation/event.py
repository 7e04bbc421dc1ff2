"""One event of a layer: edits proposed head by head, judged together, kept or rolled back, and
thresholds steered by what came of them (design §8).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hsa.adaptation.buffer import Buffer, ByGroup, GroupFields
from hsa.adaptation.edit import Head
from hsa.adaptation.head_state import HeadState, HeadStates
from hsa.adaptation.propose import Proposal, drifted, structure, targets
from hsa.adaptation.schedule import cap, drift_rate
from hsa.adaptation.seeds import Seeds
from hsa.adaptation.settings import AdaptationSettings
from hsa.adaptation.step import Trial

SHARES_TRIED = (1.0, 0.4)
"""Shares of the rates that an event tries, until one does no harm on the held texts."""

Proposals = Mapping[int, Proposal]
"""What is proposed for some key/value heads."""


class Event:
    """One event; `run` does the work, once.

    Args:
        states: of the heads that may change; what is kept changes them.
        number: of events before it.
    """

    def __init__(
        self, states: HeadStates, buffer: Buffer, settings: AdaptationSettings, seeds: Seeds,
        number: int,
    ) -> None:  # fmt: skip
        self.states, self.buffer, self.settings = states, buffer, settings
        self.seeds, self.number = seeds, number
        self.trials: dict[int, list[Trial]] = {group: [] for group in states}
        self.accepted: set[int] = set()
        buffer.ask_anew(seeds.generator(-1, number))
        self.before = buffer.objective(self._fields(states))

    def run(self) -> dict[int, list[Trial]]:
        """Structure and drift first; for heads that this made worse, less of both; then drift."""
        rate = drift_rate(self.settings, self.number)
        drift = rate if "drift" in self.settings.rules else 0.0
        for share in SHARES_TRIED:
            wholes = {
                group: proposed
                for group in self._open()
                if (proposed := self._structure(group, share, share * drift)).batches
            }
            self._judge("structure", wholes)
            self._steer(wholes, share)
        alone = {
            group: proposed
            for group in self._open()
            if (proposed := self._drift(self.states[group].head, self.states[group], drift)).batches
        }
        self._judge("drift", alone)
        for group in alone:
            state = self.states[group]
            fits = group in self.accepted
            state.pace = min(1.0, 1.5 * state.pace) if fits else state.pace / 2
        return self.trials

    def _open(self) -> list[int]:
        """Heads of which nothing has been accepted yet."""
        return [group for group in self.states if group not in self.accepted]

    def _fields(self, groups: Iterable[int]) -> GroupFields:
        return {group: self.states[group].head.field for group in groups}

    def _structure(self, group: int, share: float, rate: float) -> Proposal:
        """What the rules propose for a head, at a share of their rates, and the drift after it."""
        state = self.states[group]
        proposed = structure(
            state.head, state.all_keys(), state.thresholds, state.allowance, self.settings,
            state.sizes, self.number, share, self.seeds.generator(group, -1 - self.number),
        )  # fmt: skip
        if not proposed.batches:
            return proposed
        follows = self._drift(proposed.head, state, rate)
        return Proposal(proposed.batches + follows.batches, follows.head)

    def _drift(self, head: Head, state: HeadState, rate: float) -> Proposal:
        if rate <= 0:
            return Proposal((), head)
        return drifted(head, state.all_keys(), rate * state.pace, self.settings)

    def _judge(self, kind: str, proposals: Proposals) -> None:
        """Judge proposals of several heads at once; keep those that lower the objective on the held
        texts and forget no more than is allowed on the kept ones.
        """
        if not proposals:
            return
        after = self.buffer.objective({at: of.head.field for at, of in proposals.items()})
        good = {
            group: of.head.field
            for group, of in proposals.items()
            if after[group] < self.before[group] * (1 + self._tolerance(self.states[group], of))
        }
        kept: ByGroup = self.buffer.on_kept(good) if good else {}
        before_kept = self.buffer.on_kept_before(self._fields(kept))
        for group, proposal in proposals.items():
            of_kept, fits = None, group in good
            if group in kept:
                first, now = before_kept[group]
                fits = kept[group] <= max(first * (1 + self.settings.forgetting), now)
                of_kept = (now, kept[group])
            objective = (self.before[group], after[group])
            self.trials[group].append(Trial(kind, proposal.batches, fits, objective, of_kept))
            if fits:
                self.accepted.add(group)
                self.states[group].head = proposal.head

    def _tolerance(self, state: HeadState, proposal: Proposal) -> float:
        """None, but for an event that takes splats away from a level above its cap."""
        for level, size in enumerate(state.sizes):
            standing = int((state.head.field.level == level).sum())
            left = int((proposal.head.field.level == level).sum())
            if standing > cap(self.settings, size, self.number) and left < standing:
                return self.settings.pruning_loss
        return 0.0

    def _steer(self, proposals: Proposals, share: float) -> None:
        gain = self.settings.steering
        for group, proposal in proposals.items():
            state, edits = self.states[group], proposal.edits
            for level in range(3):
                aims = targets(self.settings, level, share * state.sizes[level])
                for kind, target in aims.items():
                    fired = sum(edit.kind == kind and edit.level == level for edit in edits)
                    thresholds = state.thresholds[level]
                    if target > 0 and kind in self.settings.rules:
                        thresholds = thresholds.steered(kind, fired, target, gain)
                        if fired and group not in self.accepted:
                            thresholds = thresholds.misjudged(kind, gain)
                    state.thresholds = (
                        *state.thresholds[:level], thresholds, *state.thresholds[level + 1 :]
                    )  # fmt: skip
