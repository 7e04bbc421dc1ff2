"""How a change inside a model moves what it predicts, position by position."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from hsa.inference.agreement import compared
from hsa.models.loaded import LoadedModel
from hsa.models.tokenization import tokens_of_ids
from hsa.tokens import Tokens

MOST, TOP = 5, 5


@dataclass(frozen=True)
class Prediction:
    """A token that might come next, with its probability."""

    token: str
    probability: float


@dataclass(frozen=True)
class ChangedPosition:
    """One position: what was predicted after its token, before and after the change.

    `follows` is the token that stands there in the text; None at its end.
    """

    position: int
    token: str
    follows: str | None
    kl_nats: float
    before: tuple[Prediction, ...]
    after: tuple[Prediction, ...]


@dataclass(frozen=True)
class NextTokenChange:
    """KL(before ‖ after) of the prediction after every token of a text.

    Attributes:
        most: the positions that change most, with their likeliest tokens.
        top_changed: positions at which another token is likeliest.
    """

    kl_nats: Float[Tensor, " T"]
    mean: float
    last: float
    most: tuple[ChangedPosition, ...]
    top_changed: int


def next_token_change(
    loaded: LoadedModel,
    tokens: Tokens,
    before: Float[Tensor, "T V"],
    after: Float[Tensor, "T V"],
) -> NextTokenChange:
    """Compare the logits of two passes over one text."""
    kl, same = (of.cpu() for of in compared(before, after))
    order = kl.argsort(descending=True, stable=True)[:MOST]
    return NextTokenChange(
        kl_nats=kl,
        mean=float(kl.mean()),
        last=float(kl[-1]),
        most=tuple(
            ChangedPosition(
                position=at,
                token=tokens.strings[at],
                follows=tokens.strings[at + 1] if at + 1 < len(tokens) else None,
                kl_nats=float(kl[at]),
                before=_likeliest(loaded, before[at]),
                after=_likeliest(loaded, after[at]),
            )
            for at in order.tolist()
        ),
        top_changed=int((~same).sum()),
    )


def _likeliest(loaded: LoadedModel, logits: Float[Tensor, " V"]) -> tuple[Prediction, ...]:
    best = logits.float().softmax(-1).topk(min(TOP, logits.numel()))
    ids = best.indices.tolist()
    if loaded.tokenizer is None:
        strings = tuple(map(str, ids))
    else:
        strings = tokens_of_ids(loaded.tokenizer, ids).strings
    return tuple(map(Prediction, strings, best.values.tolist()))
