"""How far a run's next tokens are from standard attention's, token by token."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hsa.field.model_field import ModelField
from hsa.inference.guard import Guard
from hsa.inference.hsa_program import HSAProgram
from hsa.inference.plan import RunPlan, blocked_shape
from hsa.models.capture import forward_logits
from hsa.models.fits import check_text
from hsa.models.loaded import LoadedModel
from hsa.models.program import running
from hsa.tokens import Tokens


@dataclass(frozen=True)
class Agreement:
    """Two runs over one text of T tokens, compared at each position's next token.

    `kl_nats` is KL(standard ‖ run); `nats` and `standard_nats` [T - 1] are what each pays for
    the token that the text goes on with; `top_match` whether both would write the same.
    """

    kl_nats: Float[Tensor, " T"]
    top_match: Bool[Tensor, " T"]
    nats: Float[Tensor, " T-1"]
    standard_nats: Float[Tensor, " T-1"]
    program: HSAProgram


def standard_logits(loaded: LoadedModel, tokens: Tokens) -> Float[Tensor, "T V"]:
    """Next-token logits under standard attention, whatever program runs outside."""
    with running(None):
        return forward_logits(loaded, tokens)


def agreement(
    loaded: LoadedModel,
    field: ModelField | None,
    plan: RunPlan,
    tokens: Tokens,
    standard: Float[Tensor, "T V"] | None = None,
    guard: Guard | None = None,
    program: HSAProgram | None = None,
) -> Agreement:
    """Run the text under a plan and compare it with standard attention.

    Args:
        standard: the standard logits where they are known; computed if left out.
        guard: when heads fall back to standard attention; a measurement that wants HSA's own
            errors gives one that trusts all.
        program: a fresh one of this plan to run; made of plan and guard if left out.

    Raises:
        InputError: more tokens than model or memory hold.
    """
    blocked = field and blocked_shape(field, plan)
    copies = 1 if standard is not None else 2
    check_text(loaded, len(tokens), logits=copies + compared_copies(len(tokens)), blocked=blocked)
    if standard is None:
        standard = standard_logits(loaded, tokens)
    if program is None:
        program = HSAProgram(loaded, field, plan, guard=guard or Guard())
    with running(program):
        found = forward_logits(loaded, tokens)
    kl, top = compared(standard, found)
    return Agreement(kl, top, nats(found, tokens), nats(standard, tokens), program)


CHUNK = 512
"""Tokens whose next-token distributions are compared at a time."""


def compared_copies(tokens: int) -> float:
    """Copies of all logits that a chunk's four distributions amount to."""
    return 4 * min(CHUNK / tokens, 1.0)


def compared(
    standard: Float[Tensor, "T V"], found: Float[Tensor, "T V"], chunk: int = CHUNK
) -> tuple[Float[Tensor, " T"], Bool[Tensor, " T"]]:
    """KL(standard ‖ found) in nats and whether the likeliest token is the same."""
    parts = []
    for usual, ours in zip(standard.split(chunk), found.split(chunk), strict=True):
        log_p, log_q = usual.float().log_softmax(-1), ours.float().log_softmax(-1)
        parts.append((log_p.exp() * (log_p - log_q)).sum(-1).clamp_min(0))
    return torch.cat(parts), standard.argmax(-1) == found.argmax(-1)


def nats(logits: Float[Tensor, "T V"], tokens: Tokens, chunk: int = CHUNK) -> Float[Tensor, " T-1"]:
    """-log p of each token of the text but the first."""
    ids = torch.tensor(tokens.ids[1:], device=logits.device)
    parts = [
        -part.float().log_softmax(-1).gather(1, wanted.unsqueeze(1)).squeeze(1)
        for part, wanted in zip(logits[:-1].split(chunk), ids.split(chunk), strict=True)
    ]
    return torch.cat(parts) if parts else logits.new_zeros(0)
