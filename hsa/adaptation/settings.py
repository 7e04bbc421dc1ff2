"""How a field adapts: every number that a visitor or a command may set, with its bounds."""

from __future__ import annotations

from dataclasses import dataclass, field

from hsa.adaptation.edit import KINDS, Kind
from hsa.errors import InputError
from hsa.hyperparameter import check_bounds, hyperparameter

SCHEDULES = ("constant", "cosine", "inverse_root")


@dataclass(frozen=True)
class AdaptationSettings:
    """How often, how much, how fast, and what an edit must prove.

    `rules` are the kinds of edit that may happen; `schedule` is how the rate of drift falls.
    """

    every_texts: int = hyperparameter(1, 1, 1000, "texts", "texts between two events")
    every_tokens: int = hyperparameter(512, 0, 10**7, "tokens", "least tokens between two events")
    tokens_per_text: int = hyperparameter(4096, 32, 131072, "tokens", "most read of each text")
    hold_every: int = hyperparameter(4, 2, 50, "texts", "one text in so many is held to judge on")
    held_texts: int = hyperparameter(
        5, 1, 50, "texts", "held texts judged on, the newest; and as many kept ones, drawn"
    )
    held_tokens: int = hyperparameter(2048, 32, 8192, "tokens", "most of a held text that is kept")
    held_queries: int = hyperparameter(64, 4, 256, "queries", "queries judged of a held text")
    queries: int = hyperparameter(16, 2, 256, "queries", "queries of a text compared with exact")
    keys_kept: int = hyperparameter(65536, 256, 10**6, "keys", "sample kept per key/value head")
    rehearsal: float = hyperparameter(0.2, 0.0, 0.9, "of keys", "of a full sample, from kept texts")
    history: float = hyperparameter(0.7, 0.0, 0.99, "", "α: share of the past in the evidence")
    birth_rate: float = hyperparameter(0.015, 0.0, 0.1, "of splats", "births aimed at per event")
    mitosis_rate: float = hyperparameter(
        0.035, 0.0, 0.1, "of splats", "divisions aimed at per event"
    )
    merge_rate: float = hyperparameter(0.04, 0.0, 0.1, "of splats", "merges aimed at per event")
    death_rate: float = hyperparameter(0.01, 0.0, 0.1, "of splats", "deaths aimed at per event")
    drift_share: float = hyperparameter(1.0, 0.0, 1.0, "of splats", "splats that drift per event")
    drift_rate: float = hyperparameter(1.0, 0.0, 1.0, "", "how far a Phrase goes to its keys' mean")
    section_rate: float = hyperparameter(1.0, 0.0, 2.0, "×", "rates of Sections, to the Phrases'")
    document_rate: float = hyperparameter(0.1, 0.0, 2.0, "×", "rates of Documents, to the Phrases'")
    warm_up: int = hyperparameter(1, 0, 1000, "events", "events over which drift reaches its rate")
    horizon: int = hyperparameter(40, 1, 100000, "events", "events over which rates fall")
    birth_distance: float = hyperparameter(1.0, 0.01, 100.0, "", "first threshold of births")
    mitosis_strain: float = hyperparameter(1.0, 0.1, 100.0, "", "first threshold of divisions")
    merge_cost: float = hyperparameter(3.0, 0.001, 100.0, "", "first threshold of merges")
    death_share: float = hyperparameter(0.3, 0.0, 10.0, "", "first threshold of deaths")
    patience: int = hyperparameter(4, 1, 1000, "texts", "texts unused before a splat may die")
    steering: float = hyperparameter(0.1, 0.0, 1.0, "", "how fast thresholds follow the rates")
    least: float = hyperparameter(0.9, 0.1, 1.0, "of splats", "floor of each level's splats")
    pruned_to: float = hyperparameter(1.0, 0.1, 1.0, "of splats", "cap at the end of the horizon")
    pruning_loss: float = hyperparameter(
        0.01, 0.0, 1.0, "", "rise of error allowed in an event that prunes"
    )
    price: float = hyperparameter(0.0, 0.0, 0.01, "per read", "error that a read must save")
    forgetting: float = hyperparameter(0.05, 0.0, 1.0, "", "rise of error allowed on kept texts")
    seed: int = hyperparameter(0, 0, 2**31, "", "seed of sampling and clustering")
    rules: tuple[Kind, ...] = field(default=KINDS)
    schedule: str = "constant"

    def __post_init__(self) -> None:
        check_bounds(self)
        if unknown := set(self.rules) - set(KINDS):
            raise InputError(
                "There is no such rule", got=", ".join(sorted(unknown)), needed=", ".join(KINDS)
            )
        if self.schedule not in SCHEDULES:
            raise InputError(
                "There is no such schedule", got=self.schedule, needed=", ".join(SCHEDULES)
            )

    def level_rate(self, level: int) -> float:
        """Rates of a level in units of the Phrases': Documents are the slowest."""
        return (self.document_rate, self.section_rate, 1.0)[level]
