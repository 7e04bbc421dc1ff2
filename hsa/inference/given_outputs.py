"""Standard attention in which some heads say what they are given: outputs computed beforehand.

A head's queries, keys and values are the same as in a standard pass as long as all layers before
it are, so what another cut of it would say is known from one captured layer.
"""

from __future__ import annotations

from collections.abc import Mapping

from jaxtyping import Float
from torch import Tensor

from hsa.errors import InputError
from hsa.inference.own_layers import OwnLayers
from hsa.models.loaded import LoadedModel
from hsa.models.program import AttentionCall
from hsa.models.substitution import standard


class GivenOutputs:
    """A program for prefills of one text; outputs [T, V] by (layer, query head).

    Raises:
        InputError: heads of several layers, since what a later one is asked would have changed;
            in a pass, a text of another length.
        ModelError: in a pass, another model.
    """

    def __init__(
        self, loaded: LoadedModel, outputs: Mapping[tuple[int, int], Float[Tensor, "T V"]]
    ) -> None:
        layers = {layer for layer, _ in outputs}
        if len(layers) > 1:
            raise InputError(
                "Outputs are given to heads of one layer at a time",
                got=f"layers {', '.join(map(str, sorted(layers)))}",
                needed="one layer",
            )
        self.own, self.outputs = OwnLayers(loaded), dict(outputs)

    def __call__(self, call: AttentionCall) -> Float[Tensor, "1 T H V"]:
        """Answer one layer's call."""
        layer = self.own.of(call)
        said = standard(call)
        for (at, head), output in self.outputs.items():
            if at != layer:
                continue
            if said.shape[0] != 1 or said[0, :, head].shape != output.shape:
                raise InputError(
                    "The outputs given are of another text",
                    got=f"{said.shape[0]} texts of {said.shape[1]} tokens",
                    needed=f"one text of {output.shape[0]} tokens",
                )
            said = said.clone()
            said[0, :, head] = output.to(said)
        return said
