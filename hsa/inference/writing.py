"""How a text is to be continued: what a visitor may choose, without anything slow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hsa.errors import InputError
from hsa.hyperparameter import check_bounds, hyperparameter


@dataclass(frozen=True)
class Writing:
    """One continuation asked for.

    Attributes:
        everything: what a query reads at the end of the text; None for what suits its length.
        opening: one of `hsa.inference.plan.OPENINGS`.
        layer_beta: β of the layers that differ from `beta`.
    """

    most: int = hyperparameter(40, 1, 512, "tokens", "how many tokens are written at most")
    temperature: float = hyperparameter(
        0.0, 0.0, 2.0, "", "0 writes the likeliest token; more draws among the likely ones"
    )
    seed: int = hyperparameter(0, 0, 2**31 - 1, "", "the same seed draws the same tokens")
    beta: float = hyperparameter(
        1.0, 0.0, 1.0, "β", "output = (1 - β)·standard + β·HSA, in every layer"
    )
    everything: int | None = None
    opening: str = "query"
    layer_beta: Mapping[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_bounds(self)

    def betas(self, layers: int) -> tuple[float, ...]:
        """β of every layer.

        Raises:
            InputError: a layer that the model lacks.
        """
        beyond = [layer for layer in self.layer_beta if not 0 <= layer < layers]
        if beyond:
            raise InputError(
                "β is given for a layer that the model lacks",
                got=f"layer {beyond[0]}",
                needed=f"0 to {layers - 1}",
            )
        return tuple(self.layer_beta.get(layer, self.beta) for layer in range(layers))
