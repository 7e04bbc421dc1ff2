"""A layer's sums: tokens that its splats hold, and pairs that they carry."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from hsa.field.layer_field import LayerField
from hsa.specialization.functions import PAIR_FUNCTIONS, TOKEN_FUNCTIONS
from hsa.specialization.layer_keys import LayerKeys
from hsa.specialization.strata import BY_ATTENTION, BY_TEXT, FREQUENCIES
from hsa.specialization.tally import Tally

POSITIONAL = [place for place, function in enumerate(TOKEN_FUNCTIONS) if function.positional]
"""Token functions that are a position, so that keys are not compared within like positions."""

OTHER = [place for place, function in enumerate(TOKEN_FUNCTIONS) if not function.positional]


@dataclass(frozen=True)
class LayerTally:
    """A layer's sums: tokens held per key/value head, pairs carried per query head."""

    field: LayerField
    held: Tally
    placed: Tally
    carried: Tally

    @staticmethod
    def empty(field: LayerField) -> LayerTally:
        """Sums over no keys."""
        groups, splats = field.level.shape
        heads = groups * field.temper.shape[1]
        return LayerTally(
            field,
            Tally.empty(groups, splats, len(OTHER), BY_TEXT),
            Tally.empty(groups, splats, len(POSITIONAL), len(FREQUENCIES) + 1),
            Tally.empty(heads, splats, len(PAIR_FUNCTIONS), BY_ATTENTION),
        )

    def add(self, keys: LayerKeys) -> None:
        """Add the keys of one passage, in place."""
        groups, count, _ = keys.owner.shape
        at = (keys.place.half, keys.place.block)
        ones = torch.ones(groups, count)
        for sums, which, stratum in (
            (self.held, OTHER, keys.text), (self.placed, POSITIONAL, keys.frequency),
        ):  # fmt: skip
            label = keys.token[:, which].float().expand(groups, -1, -1)
            sums.add(*at, keys.owner, stratum.expand(groups, -1), ones, label)
        owner = keys.owner.repeat_interleave(keys.received.shape[0] // groups, 0)
        self.carried.add(*at, owner, keys.stratum, keys.received, keys.through)
