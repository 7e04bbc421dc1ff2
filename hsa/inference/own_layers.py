"""Which layer of its own model a program is asked about."""

from __future__ import annotations

from hsa.errors import ModelError
from hsa.models.loaded import LoadedModel
from hsa.models.program import AttentionCall


class OwnLayers:
    """The number of a call's layer; calls of other models are refused."""

    def __init__(self, loaded: LoadedModel) -> None:
        self.title = loaded.title
        self.number = {module: at for at, module in enumerate(loaded.attention_modules)}

    def of(self, call: AttentionCall) -> int:
        """The layer that asks.

        Raises:
            ModelError: another model runs.
        """
        layer = self.number.get(call.module)
        if layer is None:
            raise ModelError(
                "Another model runs under this program",
                got=type(call.module).__name__,
                needed=f"{self.title}, for which the program was made",
                attempt="a program of its own for each model",
            )
        return layer
