"""Which layers and heads a model's next token depends on: HSA in one at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from hsa.errors import InputError
from hsa.field.model_field import ModelField
from hsa.inference.agreement import agreement, standard_logits
from hsa.inference.guard import Guard
from hsa.inference.plan import RunPlan
from hsa.models.loaded import LoadedModel
from hsa.tokens import Tokens


@dataclass(frozen=True)
class Replaced:
    """What HSA in one layer, or in one head alone, does to the next tokens of a text.

    Attributes:
        head: None where the whole layer is replaced.
        kl_nats: mean next-token KL(standard ‖ run) over the text; `late_kl_nats` over its
            second half.
        opened_only_kl_nats, opened_only_late_kl_nats: the same with the splats switched off.
        top_match: share of tokens after which both would write the same.
        reads: everything that a query of what is replaced reads, mean over the text.
    """

    layer: int
    head: int | None
    kl_nats: float
    late_kl_nats: float
    opened_only_kl_nats: float
    opened_only_late_kl_nats: float
    top_match: float
    reads: float


def which_matter(
    loaded: LoadedModel,
    field: ModelField,
    plan: RunPlan,
    tokens: Tokens,
    worst: int = 3,
    among: Sequence[int] | None = None,
    told: Callable[[str], None] = lambda _: None,
) -> tuple[list[Replaced], list[Replaced]]:
    """Every layer alone, and every head alone in the `worst` layers; largest KL first.

    Args:
        among: layers to try; all if left out.

    Raises:
        InputError: a plan that replaces nothing, no such layer, or fewer than `worst`.
    """
    tried = range(loaded.layers) if among is None else among
    if plan.blocks is None:
        raise InputError("This plan replaces nothing", got="reads of every key",
                         needed="fewer reads than tokens")  # fmt: skip
    if beyond := [layer for layer in tried if not 0 <= layer < loaded.layers]:
        raise InputError(f"{loaded.title} has no such layer", got=beyond[0],
                         needed=f"0 to {loaded.layers - 1}")  # fmt: skip
    if not 0 <= worst <= len(tried):
        raise InputError("So many layers are not tried", got=f"heads of {worst} layers",
                         needed=f"0 to {len(tried)}")  # fmt: skip
    usual = standard_logits(loaded, tokens)
    run = _Runs(loaded, field, plan, tokens, usual)
    layers = []
    for layer in tried:
        layers.append(run.replaced(layer, None))
        told(f"layer {layer}: KL {layers[-1].kl_nats:.5f}")
    layers = _sorted(layers)
    heads = []
    for layer in (row.layer for row in layers[:worst]):
        for head in range(loaded.query_heads):
            heads.append(run.replaced(layer, head))
            told(f"layer {layer} head {head}: KL {heads[-1].kl_nats:.5f}")
    return layers, _sorted(heads)


@dataclass(frozen=True)
class _Runs:
    """Runs of one text under one plan, against the same standard logits."""

    loaded: LoadedModel
    field: ModelField
    plan: RunPlan
    tokens: Tokens
    usual: Tensor

    def replaced(self, layer: int, head: int | None) -> Replaced:
        """HSA in one layer or head and standard attention elsewhere; then without splats."""
        assert self.plan.blocks is not None
        beta = torch.zeros_like(self.plan.beta)
        at = slice(None) if head is None else head
        beta[layer, at] = 1.0
        plan = self.plan.with_beta(beta)
        off = replace(plan, blocks=replace(self.plan.blocks, closed_answer=False))
        half = len(self.tokens) // 2
        kl, late, match, reads = [], [], [], []
        for way in (plan, off):
            run = agreement(
                self.loaded, self.field, way, self.tokens, self.usual, Guard(bound=1e6, checked=0)
            )
            kl.append(float(run.kl_nats.mean()))
            late.append(float(run.kl_nats[half:].mean()))
            match.append(float(run.top_match.float().mean()))
            ledger = run.program.ledger
            reads.append(float((ledger.reads[layer, at] / ledger.queries[layer]).mean()))
        return Replaced(layer, head, kl[0], late[0], kl[1], late[1], match[0], reads[0])


def _sorted(rows: Sequence[Replaced]) -> list[Replaced]:
    return sorted(rows, key=lambda row: -row.kl_nats)
