"""The persistent field of one key/value head: a frozen struct of tensors (design §2)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hsa.errors import FieldError

LEVELS = ("Document", "Section", "Phrase")
DOCUMENT, SECTION, PHRASE = range(3)


@dataclass(frozen=True)
class SplatField:
    """Gaussian splats of one (layer, key/value head); a splat is a row with a stable id.

    Rows stand level by level: Documents, then Sections, then Phrases. `parent` is a row
    number, -1 for a Document. Positions and spreads live in the query-metric frame
    x = frame · k, where y·x = scaling · q·k for y = frame⁻¹ · (scaling · q).
    """

    frame: Float[Tensor, "D D"]
    position: Float[Tensor, "N D"]
    log_spread: Float[Tensor, "N D"]
    log_amplitude: Float[Tensor, " N"]
    level: Int[Tensor, " N"]
    parent: Int[Tensor, " N"]
    splat_id: Int[Tensor, " N"]

    def __post_init__(self) -> None:
        splats, dim = self.position.shape
        shapes = {
            "frame": (dim, dim),
            "log_spread": (splats, dim),
            "log_amplitude": (splats,),
            "level": (splats,),
            "parent": (splats,),
            "splat_id": (splats,),
        }
        for name, shape in shapes.items():
            if tuple(getattr(self, name).shape) != shape:
                raise FieldError(
                    "The field is not sound",
                    got=f"{name} of shape {tuple(getattr(self, name).shape)}",
                    needed=f"shape {shape}, as {splats} splats of {dim} dimensions need",
                    attempt="fit the field again, or use the one that ships with the model",
                )
        roots = self.level == DOCUMENT
        parents = self.parent.clamp_min(0)
        proper = torch.where(
            roots, self.parent == -1, (self.level[parents] == self.level - 1) & (self.parent >= 0)
        )
        if not bool(proper.all()) or not bool((self.level.diff() >= 0).all()):
            raise FieldError(
                "The field is not sound",
                got="splats whose parents are not one level above them",
                needed="a hierarchy Document ⊃ Section ⊃ Phrase, rows sorted by level",
                attempt="fit the field again",
            )

    @property
    def splats(self) -> int:
        return self.position.shape[0]

    def rows(self, level: int) -> slice:
        """The rows of one level."""
        start = int((self.level < level).sum())
        return slice(start, start + int((self.level == level).sum()))

    def ancestors(self) -> Int[Tensor, "P 3"]:
        """Document, Section and Phrase row of every Phrase."""
        phrase = torch.arange(self.splats, device=self.parent.device)[self.rows(PHRASE)]
        section = self.parent[phrase]
        return torch.stack([self.parent[section], section, phrase], dim=1)
