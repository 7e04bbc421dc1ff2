"""A model in memory, shared by all visitors and never changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hsa.errors import ModelError
from hsa.models import tokenization
from hsa.tokens import Tokens

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A pretrained model, its tokenizer, and what the engine must know of its attention.

    Attributes:
        name: as the user gave it: key of the catalogue, hub id or folder.
        tokenizer: None in an adopted model that came without one; it reads ids alone.
        attention_modules: the modules that call attention, in the order of the layers.
        max_tokens: longest text it reads.
        fingerprint: a field fitted on one model is refused by another by this.
    """

    name: str
    title: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    attention_modules: tuple[nn.Module, ...]
    query_heads: int
    key_value_heads: int
    head_dim: int
    causal: bool
    max_tokens: int
    fingerprint: str

    @property
    def layers(self) -> int:
        """Number of attention layers."""
        return len(self.attention_modules)

    @property
    def writes(self) -> bool:
        """Whether it has an output head, so that it can continue a text."""
        return self.causal and self.model.get_output_embeddings() is not None

    def tokenize(self, text: str) -> Tokens:
        """The text as this model reads it, cut to its limit.

        Raises:
            InputError: not a text, or nothing in it to read.
            ModelError: the model came without a tokenizer.
        """
        if self.tokenizer is None:
            raise ModelError(
                f"{self.title} has no tokenizer",
                needed="ids, or what else the model itself takes",
                attempt="give `adopt` the tokenizer too",
            )
        return tokenization.tokenize(self.tokenizer, text, self.max_tokens)
