"""A bundle's numbers worked out again, and each compared with what the file says."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from hsa.errors import ModelError
from hsa.models.loaded import LoadedModel
from hsa.sharing.bundle import Bundle, field_of_bundle, versions
from hsa.sharing.measure import Progress, measure
from hsa.sharing.numbers import NUMBERS, Badge, Number, Scale

TOLERANCE = 1e-6
"""Largest difference allowed, relative to the row (which sums to one), to the length of the
output, or to the largest of the numbers where that is above one."""


@dataclass(frozen=True)
class Verified:
    """One name of the bundle.

    Attributes:
        at: where the values differ most, as an index; empty for a single number.
        stored, again: the values there; None where there is none to compare.
        difference: relative, as in TOLERANCE; None where the shapes differ.
    """

    name: str
    title: str
    badge: Badge
    count: int
    at: tuple[int, ...]
    stored: float | None
    again: float | None
    difference: float | None
    passed: bool


@dataclass(frozen=True)
class Verification:
    """All of them, and what both sides were made with."""

    tolerance: float
    numbers: tuple[Verified, ...]
    versions_there: tuple[tuple[str, str], ...]
    versions_here: tuple[tuple[str, str], ...]

    @property
    def passed(self) -> bool:
        """Whether every number came out again."""
        return all(number.passed for number in self.numbers)

    @property
    def largest(self) -> float | None:
        """The largest difference; None where one could not be formed."""
        differences = [number.difference for number in self.numbers]
        known = [difference for difference in differences if difference is not None]
        return max(known, default=0.0) if len(known) == len(differences) else None


def verify(
    bundle: Bundle,
    loaded: LoadedModel,
    progress: Progress = lambda sentence, fraction: None,
) -> Verification:
    """Recompute everything from prompt, model and field.

    Raises:
        ModelError: the model at hand is not the bundle's.
        FieldError: the field at hand is not, or the one in the bundle is not sound.
        InputError: a view that the prompt does not have.
    """
    if bundle.fingerprint != loaded.fingerprint:
        raise ModelError(
            "The bundle was made with another model",
            got=f"{loaded.title} ({loaded.fingerprint[:12]})",
            needed=f"{bundle.model} ({bundle.fingerprint[:12]})",
            attempt="load the model that it names, with the weights that it had",
        )
    field = field_of_bundle(bundle, loaded)
    again = measure(loaded, field, loaded.tokenize(bundle.prompt), bundle.view, progress)
    return Verification(
        TOLERANCE, tuple(compare(bundle.numbers, again)), bundle.versions, versions()
    )


def compare(stored: tuple[Number, ...], again: tuple[Number, ...]) -> list[Verified]:
    """Number by number; one that is missing on either side fails.

    What a difference is divided by comes from the numbers made again, never from the file.
    """
    there = {number.name: number.values for number in stored}
    here = {number.name: number.values for number in again}
    return [
        _verified(name, there.get(name), here.get(name))
        for name in NUMBERS
        if name in there or name in here
    ]


def _verified(name: str, stored: Tensor | None, again: Tensor | None) -> Verified:
    meaning = NUMBERS[name]
    if stored is None or again is None or stored.shape != again.shape or not again.numel():
        count = 0 if stored is None else stored.numel()
        return Verified(name, meaning.title, meaning.badge, count, (), None, None, None, False)
    apart = _apart(stored, again, meaning.scale)
    flat = int(apart.flatten().argmax())
    at = tuple(int(i) for i in torch.unravel_index(torch.tensor(flat), again.shape))
    largest = float(apart.flatten()[flat])
    difference = largest if largest != float("inf") else None
    return Verified(
        name, meaning.title, meaning.badge, stored.numel(), at, _finite(stored, flat),
        _finite(again, flat), difference, largest <= TOLERANCE,
    )  # fmt: skip


def _apart(stored: Tensor, again: Tensor, scale: Scale) -> Tensor:
    """Differences by scale; infinite where only one side is a number, 0 where neither is."""
    if scale == "exact":
        return (stored != again).double()
    difference = (stored - again).abs().double()
    if scale == "norm":
        difference = difference / again.norm().clamp_min(1e-30)
    elif scale == "largest":
        largest = again.abs().nan_to_num(0.0, 0.0, 0.0).max()
        difference = difference / largest.clamp_min(1.0)
    same = (stored == again) | (stored.isnan() & again.isnan())
    return difference.masked_fill(same, 0.0).nan_to_num(float("inf"), float("inf"))


def _finite(values: Tensor, flat: int) -> float | None:
    value = float(values.flatten()[flat])
    return value if abs(value) < float("inf") else None
