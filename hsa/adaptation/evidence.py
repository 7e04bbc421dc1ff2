"""What texts say of each splat: use, mass, error, spread, and where its keys lie (design §8)."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hsa.field.splat_field import SplatField


@dataclass(frozen=True)
class Evidence:
    """Evidence of one key/value head's N splats; rows stand as in its field.

    What a text adds is per query: shares of a row of attention, averaged over the sampled
    queries and the query heads of the group. Errors are squares in units of the mean ‖o‖² of
    their head.

    Attributes:
        keys: keys of a text that lie nearest to it.
        mass: exact attention on the splat's far keys.
        closed: share of queries for which the splat answered closed.
        error: its share of ‖ô - o‖²; over all splats they add up to the whole, and a splat
            that cancels what others do wrong has a negative one.
        mass_error, value_error: ‖(m̂ - m)(v̄ - o)‖² and ‖m̂ (v̂ - v̄)‖², what the two parts of
            its closed answer moved the output by.
        spread: E_q[m · Σ_d y_d² s_d²], how far its keys lie apart along where queries look.
        distance: mean squared Mahalanobis distance of its keys, per dimension.
        unused: texts in a row that brought it no key.
        age: texts since it was born.
    """

    keys: Float[Tensor, " N"]
    mass: Float[Tensor, " N"]
    closed: Float[Tensor, " N"]
    error: Float[Tensor, " N"]
    mass_error: Float[Tensor, " N"]
    value_error: Float[Tensor, " N"]
    spread: Float[Tensor, " N"]
    distance: Float[Tensor, " N"]
    unused: Float[Tensor, " N"]
    age: Float[Tensor, " N"]

    def blend(self, seen: Evidence, history: float) -> Evidence:
        """With one more text: E ← α·E + (1 - α)·text, for what is measured of a text.

        Splats that no text has told of yet take the text's own word.
        """
        new = (self.age == 0) | (history == 0)
        blended = {}
        for name in BLENDED:
            old, fresh = getattr(self, name), getattr(seen, name)
            blended[name] = torch.where(new, fresh, history * old + (1 - history) * fresh)
        return Evidence(
            **blended,
            unused=torch.where(seen.keys > 0, 0.0, self.unused + 1),
            age=self.age + 1,
        )

    def rows(self, chosen: Int[Tensor, " M"]) -> Evidence:
        """The evidence of some rows."""
        return Evidence(*(getattr(self, field.name)[chosen] for field in fields(self)))

    def answer_error(self) -> Float[Tensor, " N"]:
        """What closing each splat moved outputs by: mass and value together."""
        return self.mass_error + self.value_error


BLENDED = (
    "keys", "mass", "closed", "error", "mass_error", "value_error", "spread", "distance",
)  # fmt: skip


def no_evidence(field: SplatField) -> Evidence:
    """Of a field that has read nothing."""
    return Evidence(*(torch.zeros(field.splats) for _ in fields(Evidence)))
