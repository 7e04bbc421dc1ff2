"""The numbers of a view: what each is called, how it was come by, and what it is held against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

Badge = Literal["measured", "derived", "approximate"]
Scale = Literal["exact", "one", "largest", "norm"]


@dataclass(frozen=True)
class Meaning:
    """What a number is.

    Attributes:
        badge: measured on the model itself, derived from what was measured, or approximate,
            since a closed splat answers there for tokens that nobody looked at.
        scale: what a difference is divided by: 'one' where a whole row sums to one; 'largest',
            the largest of the numbers, but at least one; 'norm' of the vector. 'exact' numbers
            are names and counts, and may not differ.
    """

    title: str
    badge: Badge
    scale: Scale


@dataclass(frozen=True)
class Number:
    """One or more numbers under one name of `NUMBERS`; integers int64, others float64."""

    name: str
    values: Tensor


_SCORES: dict[str, tuple[str, Scale]] = {
    "error": ("output error", "largest"),
    "opened_only_error": ("output error, splats switched off", "largest"),
    "reads": ("reads", "largest"),
    "mass": ("mass by what answers", "one"),
    "entropy": ("entropy, nats", "largest"),
    "sink": ("sink share", "one"),
    "previous": ("previous-token score", "one"),
    "induction": ("induction score", "one"),
}
GRID_SCORES = tuple(_SCORES)

NUMBERS: dict[str, Meaning] = {
    "tokens": Meaning("Tokens of the prompt, by their ids", "measured", "exact"),
    "error": Meaning("Output error of the head", "measured", "largest"),
    "opened_only_error": Meaning("Output error, splats switched off", "measured", "largest"),
    "reads": Meaning("Reads of every query", "measured", "exact"),
    "standard_row": Meaning("The query's weights, standard attention", "measured", "one"),
    "hsa_row": Meaning("The query's weights, HSA", "measured", "one"),
    "standard_output": Meaning("The query's output, standard attention", "measured", "norm"),
    "hsa_output": Meaning("The query's output, HSA", "approximate", "norm"),
    "path": Meaning("Document, Section and Phrase of the key, by id", "measured", "exact"),
    "shares": Meaning("The four shares D, S, P and t", "derived", "largest"),
    "product": Meaning("Their product D · S · P · t", "derived", "one"),
    "weight": Meaning("The weight A of query and key", "measured", "one"),
    "member_kind": Meaning("Members of the cut: near, opened or closed", "measured", "exact"),
    "member_identity": Meaning("Their positions and ids", "measured", "exact"),
    "member_weight": Meaning("Their shares of the row's mass", "approximate", "one"),
    "member_norm": Meaning("Lengths of what they add to the output", "approximate", "largest"),
} | {
    f"grid_{name}": Meaning(f"All heads: {title}", "measured", scale)
    for name, (title, scale) in _SCORES.items()
}  # fmt: skip
