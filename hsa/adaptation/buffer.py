"""What proposals are judged on: texts held back, and texts that must not be forgotten."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from hsa.activations import Activations
from hsa.adaptation.held import Judged, Probe, beginning, judge, one_block, probe
from hsa.adaptation.settings import AdaptationSettings
from hsa.attention.spending import Spending
from hsa.field.layer_field import stack
from hsa.field.splat_field import SplatField

ByGroup = dict[int, float]
"""A number of each of some key/value heads."""

GroupFields = Mapping[int, SplatField]
"""Fields of some key/value heads."""


class Buffer:
    """Held and kept texts of one layer.

    Args:
        first: the layer's fields before the first text.
    """

    def __init__(
        self, first: Sequence[SplatField], temper: Float[Tensor, "G R 3"],
        tilt: Float[Tensor, "G R 3"], settings: AdaptationSettings,
    ) -> None:  # fmt: skip
        self.first, self.temper, self.tilt = tuple(first), temper, tilt
        self.settings = settings
        self.held: list[Probe] = []
        self.kept: list[Probe] = []
        self._asked: list[Probe] = []
        self._before: dict[int, tuple[float, float]] = {}

    def hold(self, activations: Activations, spending: Spending) -> None:
        """A text to judge on, forgotten when newer ones come."""
        self.held = [*self.held, self._probe(activations, spending)][-self.settings.held_texts :]

    def keep(self, activations: Activations, spending: Spending) -> None:
        """A text whose error must not rise."""
        self.kept.append(self._probe(activations, spending))

    def _probe(self, activations: Activations, spending: Spending) -> Probe:
        text = beginning(activations, self.settings.held_tokens)
        field = stack(self.first, self.temper, self.tilt)
        return probe(text, field, spending, _at_the_end(text, self.settings.held_queries))

    def ask_anew(self, generator: torch.Generator) -> None:
        """Other queries of the held texts for every event, and of as many of the kept ones.

        Whoever is judged by the same queries again and again learns to please them: what happens
        to suit them stays, and hardly a proposal is better by as much. On court cases 37 and 45 %
        of the gap were closed so at layers 22 and 18, with other queries 48 and 60 %: one run
        each, and two runs of a layer differ by ten points and more.
        """
        most = self.settings.held_queries
        self.held = [one.asked_anew(most, generator) for one in self.held]
        drawn = torch.randperm(len(self.kept), generator=generator)[: self.settings.held_texts]
        self._asked = [self.kept[at].asked_anew(most, generator) for at in sorted(drawn.tolist())]
        self._before = {}

    def objective(self, fields: GroupFields) -> ByGroup:
        """Error + price · reads on the held texts."""
        return _objective(self._judged(self.held, fields), fields, self.settings.price)

    def on_kept(self, fields: GroupFields) -> ByGroup:
        """Error on the kept texts that this event asks; of no head where there are none.

        Means as they are: what is forgotten shows in few queries, which look something up.
        """
        if not self._asked:
            return {}
        error = self._judged(self._asked, fields).error
        return dict(zip(fields, error.view(len(error), len(fields), -1).mean((0, 2)).tolist(),
                        strict=True))  # fmt: skip

    def on_kept_before(self, fields: GroupFields) -> dict[int, tuple[float, float]]:
        """Likewise of the fields of the beginning, and of those that the event found."""
        new = {group: field for group, field in fields.items() if group not in self._before}
        if new and self._asked:
            first = self.on_kept({group: self.first[group] for group in new})
            found = self.on_kept(new)
            self._before |= {group: (first[group], found[group]) for group in new}
        return self._before

    def on_newest(self, fields: GroupFields) -> ByGroup:
        """Error on the text held last."""
        return _objective(self._judged(self.held[-1:], fields), fields)

    def at_the_ends(self, fields: GroupFields) -> ByGroup:
        """Error at the ends of the held texts; of no head where no text was held."""
        most = self.settings.held_queries
        asked = [one.asked(_at_the_end(one.layer.activations, most)) for one in self.held]
        return _objective(self._judged(asked, fields), fields) if asked else {}

    def _judged(self, probes: Sequence[Probe], fields: GroupFields) -> Judged:
        at = list(fields)
        return judge(probes, stack(list(fields.values()), self.temper[at], self.tilt[at]), at)


def _at_the_end(text: Activations, most: int) -> Tensor:
    return one_block(text, most, text.tokens)


LEAST_ERROR = 1e-3
"""Relative errors below count as so much: less is nothing to gain."""


def _objective(judged: Judged, fields: GroupFields, price: float = 0.0) -> ByGroup:
    """Geometric means over texts and query heads: an edit is asked to take the same share off
    everywhere, so that no single query of one text decides. On court cases 38 and 27 % of the
    gap to fields fitted on the texts themselves were closed so at layers 22 and 18, with
    arithmetic means 28 and 16 %.
    """
    found = judged.error.clamp_min(LEAST_ERROR).log().mean(0).exp() + price * judged.reads.mean(0)
    means = found.view(len(fields), -1).log().mean(1).exp().tolist()
    return dict(zip(fields, means, strict=True))
