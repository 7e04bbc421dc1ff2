"""What one splat does for its head, its layer and the next token.

The other heads stay under standard attention. "Removed" is measured where the model stands:
standard attention against standard attention without the splat's keys. "Closed" and "replaced"
only mean something under HSA, so there the head answers by HSA before and after.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, get_args

from jaxtyping import Float
from torch import Tensor

from hsa.activations import Activations
from hsa.evaluation.layer_change import LayerChange, layer_change, standard_heads
from hsa.evaluation.next_token_change import NextTokenChange, next_token_change
from hsa.explanation.counterfactual import Counterfactual
from hsa.field.model_field import ModelField
from hsa.inference.agreement import compared_copies, standard_logits
from hsa.inference.given_outputs import GivenOutputs
from hsa.inference.removed_splats import Removal, RemovedSplats
from hsa.models.capture import forward_logits
from hsa.models.fits import check_text
from hsa.models.loaded import LoadedModel
from hsa.models.program import running
from hsa.tokens import Tokens

Case = Literal["removed from standard", "closed", "removed", "replaced"]
CASES: tuple[Case, ...] = get_args(Case)

BEFORE: dict[Case, str] = {
    "removed from standard": "standard attention in every head",
    "closed": "HSA in this head, standard attention in all others",
    "removed": "HSA in this head, standard attention in all others",
    "replaced": "HSA in this head, standard attention in all others",
}


@dataclass(frozen=True)
class HeadEffect:
    """One case: change of the head's output and of its layer's, before against after.

    `head` is ‖o' - o‖ / ‖o‖ of each row, `head_total` of all rows together.
    """

    case: Case
    head: Float[Tensor, " T"]
    head_total: float
    layer: LayerChange


@dataclass(frozen=True)
class NextTokenEffect:
    """One case: change of the next token's distribution.

    `removal` says what the program took away, in the case "removed from standard".
    """

    case: Case
    change: NextTokenChange
    removal: Removal | None = None


def head_effects(
    loaded: LoadedModel, given: Activations, head: int, found: Counterfactual
) -> tuple[HeadEffect, ...]:
    """Every case's change of the head and of its layer; no pass of the model is needed.

    Args:
        given: the whole layer's activations, which `found` was computed from.
    """
    heads = standard_heads(given)
    effects = []
    for case in CASES:
        before, after, by_row, total = _outputs(found, case)
        change = layer_change(loaded, given.layer, heads, head, before, after)
        effects.append(HeadEffect(case, by_row, total, change))
    return tuple(effects)


def next_token_effects(
    loaded: LoadedModel,
    field: ModelField,
    tokens: Tokens,
    layer: int,
    head: int,
    found: Counterfactual,
    cases: Collection[Case] = ("removed from standard",),
) -> tuple[NextTokenEffect, ...]:
    """Run the model before and after for each case: one pass more than cases, or two.

    Raises:
        InputError: more tokens than model or memory hold.
        ModelError: the model predicts no next token.
    """
    check_text(loaded, len(tokens), logits=2 + compared_copies(len(tokens)))
    effects = {}
    if "removed from standard" in cases:
        program = RemovedSplats(loaded, field, {(layer, head): [found.splat_id]})
        before = standard_logits(loaded, tokens)
        with running(program):
            after = forward_logits(loaded, tokens)
        effects["removed from standard"] = NextTokenEffect(
            "removed from standard",
            next_token_change(loaded, tokens, before, after),
            program.removals[layer, head],
        )
    rest: list[Case] = [case for case in CASES[1:] if case in cases]
    if rest:
        before = _given(loaded, tokens, layer, head, found.hsa_output)
        for case in rest:
            after = _given(loaded, tokens, layer, head, _outputs(found, case)[1])
            change = next_token_change(loaded, tokens, before, after)
            effects[case] = NextTokenEffect(case, change)
    return tuple(effects[case] for case in CASES if case in effects)


def _given(
    loaded: LoadedModel, tokens: Tokens, layer: int, head: int, output: Float[Tensor, "T V"]
) -> Float[Tensor, "T V"]:
    with running(GivenOutputs(loaded, {(layer, head): output})):
        return forward_logits(loaded, tokens)


def _outputs(found: Counterfactual, case: Case) -> tuple[Tensor, Tensor, Tensor, float]:
    """The head's output before and after, and how far they are apart."""
    if case == "removed from standard":
        return (found.standard_output, found.removed_from_standard, found.standard_change,
                found.total_standard_change)  # fmt: skip
    told = found.of(case)
    return found.hsa_output, told.output, told.change, told.total_change
