"""The keys of a passage in one layer: whose they are, and which functions they have."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from hsa.activations import Activations
from hsa.attention.exact import weights
from hsa.field.layer_field import LayerField
from hsa.field.routing import key_paths
from hsa.specialization.annotation import Annotation
from hsa.specialization.passages import Passage
from hsa.specialization.strata import by_attention

SINKS = 4
"""First keys of a text that are left out: every causal model dumps attention there (design §2)."""


@dataclass(frozen=True)
class Place:
    """Which half and block of the corpus a passage belongs to."""

    half: int
    block: int


@dataclass(frozen=True)
class LayerKeys:
    """The K keys of a passage in one layer: whose they are, and what they have.

    Attributes:
        owner: Document, Section and Phrase row of each key.
        token: token functions of each key.
        text, frequency: its strata, by position and frequency and by frequency alone.
        received: attention of standard attention that it receives in all.
        stratum: by position, frequency and attention received.
        through: the part of what it receives that comes through each pair function.
        ids: its token.
    """

    place: Place
    owner: Int[Tensor, "G K 3"]
    token: Bool[Tensor, "K F"]
    text: Int[Tensor, " K"]
    frequency: Int[Tensor, " K"]
    received: Float[Tensor, "H K"]
    stratum: Int[Tensor, "H K"]
    through: Float[Tensor, "H K P"]
    ids: Int[Tensor, " K"]


def layer_keys(
    field: LayerField,
    given: Activations,
    passage: Passage,
    annotation: Annotation,
    place: Place,
    strata: tuple[Int[Tensor, " T"], Int[Tensor, " T"]],
) -> LayerKeys:
    """The keys of a passage that are counted: not special, not the first of a causal text.

    Args:
        strata: of each token, by position and frequency and by frequency alone.
    """
    counted = ~torch.tensor(passage.tokens.special)
    if given.causal:
        counted[:SINKS] = False
    keys = counted.nonzero().squeeze(1)
    weight = weights(given)
    received = weight.sum(1)
    through = annotation.received(weight) / received.clamp_min(1e-30).unsqueeze(-1)
    return LayerKeys(
        place=place,
        owner=key_paths(field, given.k)[:, keys],
        token=annotation.token[keys],
        text=strata[0][keys],
        frequency=strata[1][keys],
        received=received[:, keys],
        stratum=by_attention(strata[0], received, given.causal)[:, keys],
        through=through[:, keys].clamp(0, 1),
        ids=torch.tensor(passage.tokens.ids)[keys],
    )
