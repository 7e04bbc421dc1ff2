"""The scores of a head that a grid can be coloured and sorted by, with their meaning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from hsa.evaluation.head_grid import ANSWERED_BY, HeadGrid


@dataclass(frozen=True)
class Score:
    """One number per head.

    Attributes:
        unit: 'share' (0 to 1), 'nats' or 'reads'.
        better: which end means that HSA does well; None when neither does.
        meaning: one sentence for the reader.
    """

    name: str
    title: str
    unit: Literal["share", "nats", "reads"]
    better: Literal["high", "low"] | None
    meaning: str
    of: Callable[[HeadGrid], Float[Tensor, "L H"]]


def _mass(place: int) -> Callable[[HeadGrid], Float[Tensor, "L H"]]:
    return lambda grid: grid.mass[..., place]


SCORES: dict[str, Score] = {
    score.name: score
    for score in (
        Score(
            "agreement", "Agreement", "share", "high",
            "1 − error, not below 0: how close HSA's output is to standard attention's.",
            lambda grid: grid.agreement,
        ),
        Score(
            "error", "Error of HSA", "share", "low",
            "‖Ô − O‖ / ‖O‖ of the head's outputs over the queries (Frobenius norm).",
            lambda grid: grid.error,
        ),
        Score(
            "opened_only_error", "Error without splats", "share", "low",
            "The same error when closed splats are dropped and only the tokens that HSA read "
            "remain.",
            lambda grid: grid.opened_only_error,
        ),
        Score(
            "reads", "Reads per query", "reads", None,
            "Splats and far tokens evaluated per query; near tokens come on top.",
            lambda grid: grid.reads,
        ),
        Score(
            "entropy", "Entropy", "nats", None,
            "Of a row of standard attention, averaged over queries: 0 when one key takes all.",
            lambda grid: grid.entropy,
        ),
        Score(
            "sink", "Sink share", "share", None,
            "Mass of standard attention on the first token.",
            lambda grid: grid.sink,
        ),
        Score(
            "previous", "Previous-token score", "share", None,
            "Mass of standard attention on the token just before.",
            lambda grid: grid.previous,
        ),
        Score(
            "induction", "Induction score", "share", None,
            "Mass of standard attention on the tokens that came after earlier occurrences of "
            "the same token; blank where nothing repeats.",
            lambda grid: grid.induction,
        ),
        *(
            Score(
                name.lower().replace(" ", "_"), f"Mass: {name}", "share", None,
                f"Share of HSA's attention mass that {name} answer for.",
                _mass(place),
            )
            for place, name in enumerate(ANSWERED_BY)
        ),
    )
}  # fmt: skip
