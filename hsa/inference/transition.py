"""From standard attention to HSA, step by step, as far as both agree (β per layer)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from hsa.field.model_field import ModelField
from hsa.hyperparameter import check_bounds, hyperparameter
from hsa.inference.agreement import agreement, standard_logits
from hsa.inference.guard import Guard
from hsa.inference.plan import RunPlan
from hsa.models.loaded import LoadedModel
from hsa.tokens import Tokens


@dataclass(frozen=True)
class Observation:
    """One interaction: the β that was tried, what came of it, and the β after it.

    `kl_nats` is the mean next-token KL against standard attention on the same text, at `tried`;
    `layer_kl_nats` that of single layers, where they were looked at; NaN elsewhere.
    """

    tried: Float[Tensor, " L"]
    after: Float[Tensor, " L"]
    tokens: int
    kl_nats: float
    layer_kl_nats: Float[Tensor, " L"]
    verdict: str


@dataclass(frozen=True)
class TransitionSettings:
    """How fast β moves, and what agreement it must keep."""

    bound: float = hyperparameter(0.02, 1e-6, 10.0, "nats", "mean next-token KL allowed")
    rise: float = hyperparameter(0.25, 0.01, 1.0, "β", "raised by this while both agree")
    fall: float = hyperparameter(0.5, 0.0, 0.95, "", "factor on β of a layer that disagrees")
    suspects: int = hyperparameter(4, 1, 64, "layers", "layers tried alone when the sum is too far")

    def __post_init__(self) -> None:
        check_bounds(self)


class TransitionController:
    """Raises β over interactions while agreement holds, and lowers it where it does not.

    One belongs to one visitor's session; `history` is what a page shows.
    """

    def __init__(self, layers: int, settings: TransitionSettings | None = None) -> None:
        self.settings = settings or TransitionSettings()
        self.beta = torch.zeros(layers)
        self.held = torch.ones(layers)
        self.history: list[Observation] = []

    def observe(
        self,
        loaded: LoadedModel,
        field: ModelField,
        plan: RunPlan,
        tokens: Tokens,
        guard: Guard | None = None,
    ) -> Observation:
        """Try the next higher β on a text, keep it if both agree, and lower the layers at fault.

        `held` is the highest β that each layer is still allowed; a layer at fault has it
        lowered, so that it is not raised to the same place again.

        Args:
            guard: when heads fall back. What falls back agrees, so that HSA's own disagreement
                shows only if all that is finite is trusted, as it is when left out.
        """
        rise, bound = self.settings.rise, self.settings.bound
        tried = torch.minimum(self.beta + rise, self.held)
        standard = standard_logits(loaded, tokens)
        guard = guard or Guard(bound=1e6)
        alone = torch.full_like(tried, torch.nan)
        found = agreement(loaded, field, plan.with_beta(tried), tokens, standard, guard)
        kl = float(found.kl_nats.mean())
        if kl <= bound:
            self.beta = tried
            verdict = "agrees: β raised" if bool((tried > 0).any()) else "agrees"
        else:
            error = found.program.ledger.checked_error().mean(1) * tried
            for layer in error.argsort(descending=True)[: self.settings.suspects].tolist():
                single = torch.zeros_like(tried)
                single[layer] = tried[layer]
                run = agreement(loaded, field, plan.with_beta(single), tokens, standard, guard)
                alone[layer] = run.kl_nats.mean()
            share = alone.nan_to_num(-1.0)
            fault = share > bound / len(tried)
            fault[int(share.argmax())] = True
            lowered = tried.where(~fault, tried * self.settings.fall)
            lowered = lowered.where(lowered > 0.05, 0.0)
            self.held = self.held.where(~fault, lowered)
            self.beta = torch.minimum(self.beta, self.held)
            names = ", ".join(str(layer) for layer in fault.nonzero().flatten().tolist())
            verdict = f"disagrees: β lowered in layer {names}"
        seen = Observation(tried, self.beta.clone(), len(tokens), kl, alone, verdict)
        self.history.append(seen)
        return seen
