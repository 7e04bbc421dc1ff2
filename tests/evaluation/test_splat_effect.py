"""What a splat does, on the real SmolLM2: head, layer and next token agree with each other."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
import torch

from hsa.activations import Activations
from hsa.attention.reference import attend
from hsa.attention.spending import Spending
from hsa.attention.views import into_layer
from hsa.evaluation.layer_change import layer_change, standard_heads
from hsa.evaluation.splat_effect import CASES, head_effects, next_token_effects
from hsa.explanation.counterfactual import Counterfactual, counterfactual
from hsa.field.model_field import ModelField
from hsa.field.shipped import shipped_field
from hsa.field.splat_field import SECTION
from hsa.inference.removed_splats import RemovedSplats
from hsa.models.capture import capture, forward_logits
from hsa.models.loaded import LoadedModel
from hsa.models.program import AttentionCall, running
from hsa.models.substitution import standard
from hsa.specialization.roster import roster
from hsa.tokens import Tokens

LAYER, HEAD = 18, 7
TEXT = "The keeper of the old lighthouse saw a ship, and the ship saw the keeper. " * 2


@dataclass(frozen=True)
class Real:
    """One hard head of SmolLM2 on a short text, with its heaviest Section."""

    loaded: LoadedModel
    field: ModelField
    tokens: Tokens
    given: Activations
    found: Counterfactual
    splat_id: int


@pytest.fixture(scope="module")
def real(smollm2: LoadedModel) -> Real:
    field = shipped_field("smollm2", smollm2.fingerprint)
    tokens = smollm2.tokenize(TEXT)
    given = capture(smollm2, tokens, [LAYER])[LAYER]
    group, member = divmod(HEAD, given.group)
    own = field.layer(LAYER).group(group, slice(member, member + 1))
    result = attend(given.head(HEAD), own, Spending(torch.tensor([9])))
    framed = into_layer(given.head(HEAD), own)
    splat_id = roster(result, framed, 0).heaviest(SECTION)
    return Real(smollm2, field, tokens, given, counterfactual(result, framed, splat_id), splat_id)


def test_the_program_says_what_the_counterfactual_foretold(real: Real) -> None:
    """The head's output inside the model, its layer's change, and the next token's."""
    said: list[tuple[AttentionCall, torch.Tensor]] = []
    program = RemovedSplats(real.loaded, real.field, {(LAYER, HEAD): {real.splat_id}})

    def listening(call: AttentionCall) -> torch.Tensor:
        output = program(call)
        if call.module is real.loaded.attention_modules[LAYER]:
            said.append((call, output))
        return output

    with running(listening):
        after = forward_logits(real.loaded, real.tokens)
    ((call, output),) = said
    foretold = real.found.removed_from_standard
    assert torch.allclose(output[0, :, HEAD], foretold, atol=1e-4 * float(foretold.abs().max()))

    effects = {of.case: of for of in head_effects(real.loaded, real.given, HEAD, real.found)}
    assert tuple(effects) == CASES and effects["removed from standard"].layer.through == "o_proj"
    project = call.module.o_proj
    with torch.no_grad():
        one, other = project(standard(call).flatten(2))[0], project(output.flatten(2))[0]
    wanted = float((other - one).norm() / one.norm())
    assert effects["removed from standard"].layer.total == pytest.approx(wanted, rel=1e-3)
    assert effects["removed from standard"].head_total > 0.01
    assert effects["replaced"].head_total < effects["removed"].head_total

    (next_token,) = next_token_effects(
        real.loaded, real.field, real.tokens, LAYER, HEAD, real.found
    )
    change = next_token.change
    before = forward_logits(real.loaded, real.tokens)
    p, q = before.log_softmax(-1), after.log_softmax(-1)
    kl = (p.exp() * (p - q)).sum(-1).clamp_min(0)
    assert torch.allclose(change.kl_nats, kl, atol=1e-6)
    assert change.mean == pytest.approx(float(kl.mean()), rel=1e-4) and change.mean > 1e-6
    assert change.last == float(change.kl_nats[-1])
    worst = change.most[0]
    assert worst.position == int(kl.argmax()) and worst.token == real.tokens.strings[worst.position]
    assert worst.before[0].probability == pytest.approx(
        float(before[worst.position].softmax(0).max())
    )
    assert next_token.removal is not None and next_token.removal.keys > 0


def test_under_hsa_the_next_token_feels_what_the_head_says(real: Real) -> None:
    cases = ("closed", "replaced")
    found = next_token_effects(real.loaded, real.field, real.tokens, LAYER, HEAD, real.found, cases)
    assert [of.case for of in found] == list(cases)
    for effect in found:
        told = real.found.of(effect.case)
        if told.total_change == 0:
            assert effect.change.mean == 0
        changed = (told.change > 0).nonzero().flatten()
        first = int(changed[0]) if len(changed) else len(real.tokens)
        assert float(effect.change.kl_nats[:first].abs().max()) == 0, "nothing before the first row"
    assert any(effect.change.mean > 0 for effect in found)


def test_heads_side_by_side_where_there_is_no_projection(real: Real) -> None:
    heads = standard_heads(real.given)
    bare = replace(real.loaded, attention_modules=(torch.nn.Identity(),) * real.loaded.layers)
    output = heads[:, HEAD]
    change = layer_change(bare, LAYER, heads, HEAD, output, 2 * output)
    assert change.through == "heads side by side"
    wanted = float(output.norm() / heads.norm())
    assert change.total == pytest.approx(wanted, rel=1e-5)
