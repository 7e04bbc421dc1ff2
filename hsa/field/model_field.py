"""The fields of every layer and key/value head of one model, with their calibration."""

from __future__ import annotations

from dataclasses import dataclass, replace

from jaxtyping import Float
from torch import Tensor

from hsa.errors import FieldError
from hsa.field.curves import ErrorCurves, OwnCurves
from hsa.field.layer_field import LayerField, stack
from hsa.field.splat_field import SplatField


@dataclass(frozen=True)
class Source:
    """A text that a field was made from: its file name, sha256 and tokens read."""

    name: str
    sha256: str
    tokens: int


@dataclass(frozen=True)
class ModelField:
    """What a model's keys look like, learned from other texts.

    Attributes:
        model, fingerprint: the model that it was fitted on; no other may use it.
        positions: keys at this position and beyond were never seen in the fit.
        heads: fields by layer, then key/value head.
        temper, tilt: weights of design §5 per layer, query head and level.
        curves: what reads buy, at one or more text lengths, shortest first.
        own_curves: the same inside the model, where queries open for themselves in blocks; none
            in a field of an older program.
        spending: 'per_head', 'per_query' or 'uniform', whichever was best on text that the
            calibration did not see; `spending_errors` are their mean errors there.
    """

    model: str
    fingerprint: str
    positions: int
    heads: tuple[tuple[SplatField, ...], ...]
    temper: Float[Tensor, "L H 3"]
    tilt: Float[Tensor, "L H 3"]
    curves: tuple[ErrorCurves, ...]
    spending: str
    spending_errors: tuple[tuple[str, float, float], ...]
    fitted_on: tuple[Source, ...]
    calibrated_on: tuple[Source, ...]
    seed: int
    own_curves: tuple[OwnCurves, ...] = ()

    @property
    def layers(self) -> int:
        return len(self.heads)

    @property
    def query_heads(self) -> int:
        return self.temper.shape[1]

    def layer(self, number: int) -> LayerField:
        """The stacked fields of one layer."""
        if not 0 <= number < self.layers:
            raise FieldError(
                "The field has no such layer",
                got=f"layer {number}",
                needed=f"0 to {self.layers - 1}",
                attempt="choose a layer of the model that the field was fitted on",
            )
        groups = len(self.heads[number])
        return stack(
            self.heads[number],
            self.temper[number].view(groups, -1, 3),
            self.tilt[number].view(groups, -1, 3),
        )

    def calibrated(self, **changes: object) -> ModelField:
        """The same splats with another calibration."""
        return replace(self, **changes)  # type: ignore[arg-type]
