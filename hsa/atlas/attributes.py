"""What is known of each splat, by name: any of it may colour, filter or sort the atlas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from hsa.field.splat_field import LEVELS, SplatField

Unit = Literal["", "share", "keys", "texts", "bits"]


@dataclass(frozen=True)
class Attribute:
    """One value a splat, in the order of the atlas's rows.

    Attributes:
        meaning: a sentence or two for the reader.
        values: numbers, NaN where unknown; or names, "" where there is none.
        log: spread over orders of magnitude, so that colours follow the logarithm.
    """

    name: str
    title: str
    meaning: str
    values: Float[Tensor, " N"] | tuple[str, ...]
    unit: Unit = ""
    log: bool = False

    @property
    def numeric(self) -> bool:
        """Whether values are numbers."""
        return isinstance(self.values, Tensor)

    @property
    def numbers(self) -> Float[Tensor, " N"]:
        """The values of a numeric attribute."""
        assert isinstance(self.values, Tensor), f"{self.name} holds names"
        return self.values

    @property
    def names(self) -> tuple[str, ...]:
        """The values of a categorical attribute."""
        assert isinstance(self.values, tuple), f"{self.name} holds numbers"
        return self.values

    def categories(self) -> tuple[str, ...]:
        """The names that occur: levels from coarse to fine, all others by how often."""
        if self.name == "level":
            return tuple(level for level in LEVELS if level in self.names)
        counts = {name: self.names.count(name) for name in set(self.names) if name}
        return tuple(sorted(counts, key=lambda name: (-counts[name], name)))


def field_attributes(field: SplatField) -> tuple[Attribute, ...]:
    """What the field alone says, without any prompt."""
    level = field.level.cpu()
    has_parent = field.parent.cpu() >= 0
    children = torch.zeros(field.splats).index_add_(
        0, field.parent.cpu()[has_parent], torch.ones(int(has_parent.sum()))
    )
    variance = field.log_spread.float().cpu().exp().sum(1)
    return (
        Attribute(
            "level", "Level", "Document, Section or Phrase: coarse, middle or fine.",
            tuple(LEVELS[at] for at in level.tolist()),
        ),
        Attribute(
            "spread", "Spread",
            "√Σσ²: how far from the splat's middle its keys lay in the fit, in the query metric.",
            variance.sqrt(), log=True,
        ),
        Attribute(
            "share", "Prior share",
            "The share of its level's keys that it held in the texts of the fit.",
            field.log_amplitude.float().cpu().exp(), unit="share", log=True,
        ),
        Attribute(
            "children", "Children", "Splats of the next level below it.",
            children.where(level < len(LEVELS) - 1, torch.nan),
        ),
    )  # fmt: skip


def joined(parts: Sequence[Sequence[Attribute]], sizes: Sequence[int]) -> tuple[Attribute, ...]:
    """The attributes of several heads as those of one atlas; what a head lacks is unknown there."""
    known: list[Mapping[str, Attribute]] = [{at.name: at for at in part} for part in parts]
    names = list(dict.fromkeys(at.name for part in parts for at in part))
    return tuple(_joined(name, known, sizes) for name in names)


def _joined(name: str, known: Sequence[Mapping[str, Attribute]], sizes: Sequence[int]) -> Attribute:
    first = next(part[name] for part in known if name in part)
    values: Tensor | tuple[str, ...]
    if first.numeric:
        values = torch.cat(
            [part[name].numbers if name in part else torch.full((size,), torch.nan)
             for part, size in zip(known, sizes, strict=True)]
        )  # fmt: skip
    else:
        values = tuple(
            value
            for part, size in zip(known, sizes, strict=True)
            for value in (part[name].names if name in part else ("",) * size)
        )
    return Attribute(first.name, first.title, first.meaning, values, first.unit, first.log)
