"""All key/value heads of one layer, stacked, as attention reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hsa.field.splat_field import SplatField


@dataclass(frozen=True)
class LayerField:
    """The fields of a layer's G key/value heads; rows past a head's own N have level -1.

    `temper` and `tilt` (design §5) stand per query head: G groups of R heads.
    """

    frame: Float[Tensor, "G D D"]
    position: Float[Tensor, "G N D"]
    log_spread: Float[Tensor, "G N D"]
    log_amplitude: Float[Tensor, "G N"]
    level: Int[Tensor, "G N"]
    parent: Int[Tensor, "G N"]
    splat_id: Int[Tensor, "G N"]
    temper: Float[Tensor, "G R 3"]
    tilt: Float[Tensor, "G R 3"]

    @property
    def groups(self) -> int:
        return self.position.shape[0]

    def group(self, index: int, heads: slice | Tensor = slice(None)) -> LayerField:
        """One key/value head alone, with the query heads asked for."""
        one = slice(index, index + 1)
        return LayerField(
            self.frame[one], self.position[one], self.log_spread[one], self.log_amplitude[one],
            self.level[one], self.parent[one], self.splat_id[one],
            self.temper[one][:, heads], self.tilt[one][:, heads],
        )  # fmt: skip

    def per_splat(self, weight: Float[Tensor, "G R 3"]) -> Float[Tensor, "G R N"]:
        """A weight per query head and level, spread over the splats."""
        level = self.level.clamp_min(0).unsqueeze(1).expand(-1, weight.shape[1], -1)
        return weight.gather(2, level)

    def to(self, device: torch.device | str) -> LayerField:
        return LayerField(*(tensor.to(device) for tensor in self.__dict__.values()))


def stack(
    fields: Sequence[SplatField],
    temper: Float[Tensor, "G R 3"],
    tilt: Float[Tensor, "G R 3"],
) -> LayerField:
    """Stack one field per key/value head, padding to the largest."""
    most = max(field.splats for field in fields)

    def padded(name: str, fill: float) -> Tensor:
        rows = []
        for field in fields:
            tensor = getattr(field, name)
            missing = tensor.new_full((most - tensor.shape[0], *tensor.shape[1:]), fill)
            rows.append(torch.cat([tensor, missing]))
        return torch.stack(rows)

    return LayerField(
        frame=torch.stack([field.frame for field in fields]),
        position=padded("position", 0.0),
        log_spread=padded("log_spread", 0.0),
        log_amplitude=padded("log_amplitude", -torch.inf),
        level=padded("level", -1),
        parent=padded("parent", -1),
        splat_id=padded("splat_id", -1),
        temper=temper,
        tilt=tilt,
    )
