"""Agreement on a text that was written, told token by token of the text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Bool, Float
from torch import Tensor

from hsa.field.model_field import ModelField
from hsa.inference.agreement import agreement
from hsa.inference.ledger import Notice
from hsa.inference.plan import RunPlan, read_everything
from hsa.inference.stoppable import StoppableProgram, never
from hsa.models.capture import forward_logits
from hsa.models.fits import check_text
from hsa.models.loaded import LoadedModel
from hsa.models.program import running
from hsa.tokens import Tokens

MOST_MEASURED = 2048
"""Tokens of the longest text whose logits are held twice over the whole vocabulary."""


@dataclass(frozen=True)
class AgreementMeans:
    """Means over some tokens of the text; `tokens` says over how many."""

    tokens: int
    kl_nats: float
    top_share: float
    nats: float
    standard_nats: float


@dataclass(frozen=True)
class TextAgreement:
    """How far HSA and standard attention were apart in predicting each token of a text.

    Entry n speaks of token n + 1, for nothing predicts the first: KL(standard ‖ HSA) of the
    two predictions, whether both held the same token likeliest, and what each paid for it.

    Attributes:
        prompt: tokens of the prompt; those after it were written under HSA.
        notices: what went wrong in this measurement's own run.
    """

    tokens: Tokens
    prompt: int
    kl_nats: Float[Tensor, " T-1"]
    top_match: Bool[Tensor, " T-1"]
    nats: Float[Tensor, " T-1"]
    standard_nats: Float[Tensor, " T-1"]
    fallbacks: int
    notices: tuple[Notice, ...]

    @property
    def everywhere(self) -> AgreementMeans | None:
        """Means over all tokens that were predicted."""
        return self._means(0, len(self.tokens) - 1)

    @property
    def on_prompt(self) -> AgreementMeans | None:
        """Means over the prompt."""
        return self._means(0, self.prompt - 1)

    @property
    def on_written(self) -> AgreementMeans | None:
        """Means over what HSA wrote."""
        return self._means(self.prompt - 1, len(self.tokens) - 1)

    def _means(self, first: int, end: int) -> AgreementMeans | None:
        if end <= first:
            return None
        parts = (self.kl_nats, self.top_match.float(), self.nats, self.standard_nats)
        kl, top, nats, standard = (float(part[first:end].mean()) for part in parts)
        return AgreementMeans(end - first, kl, top, nats, standard)


def text_agreement(
    loaded: LoadedModel,
    field: ModelField,
    plan: RunPlan,
    tokens: Tokens,
    prompt: int,
    stopped: Callable[[], bool] = never,
) -> TextAgreement:
    """Read the text once under standard attention and once under the plan.

    Raises:
        InputError: more tokens than model or memory hold.
        Stopped: `stopped()` said so between two layers.
    """
    check_text(loaded, len(tokens), logits=1)
    usual = read_everything(loaded.layers, loaded.query_heads)
    with running(StoppableProgram(loaded, field, usual, stopped=stopped)):
        standard = forward_logits(loaded, tokens)
    program = StoppableProgram(loaded, field, plan, stopped=stopped)
    found = agreement(loaded, field, plan, tokens, standard, program=program)
    return TextAgreement(
        tokens,
        prompt,
        found.kl_nats[:-1].cpu(),
        found.top_match[:-1].cpu(),
        found.nats.cpu(),
        found.standard_nats.cpu(),
        found.program.ledger.fallbacks,
        tuple(found.program.ledger.notices),
    )
