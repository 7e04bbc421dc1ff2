"""SmolLM2 on real text with its shipped field: decoding, padding, damage and the way to HSA.

All of the model for standard attention to the last bit; its first layers show the rest.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from hsa.field.shipped import shipped_field
from hsa.fitting.windows import first_tokens
from hsa.inference.agreement import agreement, standard_logits
from hsa.inference.guard import Guard
from hsa.inference.hsa_program import HSAProgram
from hsa.inference.plan import read_everything, run_plan
from hsa.inference.transition import TransitionController, TransitionSettings
from hsa.models.capture import forward_logits
from hsa.models.program import running
from tests.first_layers import field_of_first, first_layers
from tests.inference.tiny import TRUSTING, with_cache

TOKENS, READS = 112, 56
LAYERS, DAMAGED = 6, 5


@pytest.fixture(scope="module")
def model(smollm2):
    return first_layers(smollm2, LAYERS)


@pytest.fixture(scope="module")
def field(smollm2, model):
    return field_of_first(shipped_field("smollm2", smollm2.fingerprint), model)


@pytest.fixture(scope="module")
def text(smollm2, story):
    return first_tokens(smollm2.tokenize(story), TOKENS)


@pytest.fixture(scope="module")
def standard(model, text):
    return standard_logits(model, text)


@pytest.fixture(scope="module")
def broken(field):
    """Tempers of one layer twenty times too large: its closed splats drown the other keys."""
    temper = field.temper.clone()
    temper[DAMAGED] *= 20
    return replace(field, temper=temper)


def test_standard_attention_to_the_last_bit(smollm2, text) -> None:
    field = shipped_field("smollm2", smollm2.fingerprint)
    standard = standard_logits(smollm2, text)
    whole = agreement(smollm2, None, read_everything(30, 9), text, standard)
    off = agreement(smollm2, field, run_plan(field, TOKENS, READS).with_beta(0.0), text, standard)
    for run in (whole, off):
        assert float(run.kl_nats.max()) == 0
        assert bool(run.top_match.all())
        assert torch.equal(run.nats, run.standard_nats)
        assert run.program.ledger.share_read == 1


@pytest.mark.parametrize(("longest", "opening"), [(None, "query"), (TOKENS, "block")])
def test_token_by_token_is_one_prefill(model, field, text, longest, opening) -> None:
    """Prefilled inside a block, then single tokens across borders, several at once, and on."""
    plan = run_plan(field, TOKENS, READS, opening)
    whole = HSAProgram(model, field, plan, guard=TRUSTING)
    with running(whole):
        wanted = forward_logits(model, text)
    program = with_cache(model, field, plan, longest)
    parts = []
    with torch.no_grad(), running(program):
        for part in torch.tensor([text.ids]).split([93, 1, 1, 1, 1, 12, 1, 1, 1], dim=1):
            out = model.model(part, past_key_values=program.cache, use_cache=True)
            parts.append(out.logits[0])
    torch.testing.assert_close(torch.cat(parts), wanted, atol=1e-4, rtol=1e-4)
    assert program.ledger.fallbacks == 0
    assert program.ledger.share_read < 0.7
    torch.testing.assert_close(program.ledger.keys, whole.ledger.keys)


def test_a_left_padded_batch_reads_as_each_text_alone(model, field, text) -> None:
    plan = run_plan(field, TOKENS, READS, "block")
    short = first_tokens(text, 64)
    alone, reads = [], 0.0
    for tokens in (text, short):
        program = HSAProgram(model, field, plan, guard=TRUSTING)
        with running(program):
            alone.append(forward_logits(model, tokens)[-1])
        reads += float(program.ledger.reads.sum())
    missing = TOKENS - 64
    ids = torch.tensor([list(text.ids), [2] * missing + list(short.ids)])
    mask = torch.ones_like(ids)
    mask[1, :missing] = 0
    position = (mask.cumsum(1) - 1).clamp_min(0)
    program = HSAProgram(model, field, plan, guard=TRUSTING)
    with torch.no_grad(), running(program):
        both = model.model(ids, attention_mask=mask, position_ids=position, use_cache=False)
    torch.testing.assert_close(both.logits[:, -1], torch.stack(alone), atol=1e-4, rtol=1e-4)
    assert float(program.ledger.reads.sum()) == pytest.approx(reads)


def test_a_damaged_layer_leaves_its_bound_and_is_answered(
    model, field, broken, text, standard, caplog
) -> None:
    plan = run_plan(field, TOKENS, READS, "block")
    sound = agreement(model, field, plan, text, standard)
    assert sound.program.ledger.fallbacks == 0
    trusted = agreement(model, broken, plan, text, standard, TRUSTING)
    assert trusted.program.ledger.fallbacks == 0
    guarded = agreement(model, broken, plan, text, standard)
    ledger = guarded.program.ledger
    assert ledger.fallbacks >= 5
    assert {notice.layer for notice in ledger.notices} == {DAMAGED}
    error = ledger.checked_error()
    assert {notice.head for notice in ledger.notices} == set(
        (error[DAMAGED] > Guard().bound).nonzero().flatten().tolist()
    )
    logged = [record.message for record in caplog.records if record.name == "hsa.inference"]
    assert len(logged) == ledger.fallbacks
    assert all("on 4 checked queries, bound 0.5" in message for message in logged)
    # What heads that fell back answered is no worse than what sound ones would have.
    assert float(guarded.kl_nats.mean()) < 1.5 * float(sound.kl_nats.mean())
    assert float(trusted.kl_nats.mean()) > 3 * float(sound.kl_nats.mean())


def test_beta_rises_while_both_agree_and_falls_on_a_damaged_layer(
    model, field, broken, text
) -> None:
    plan = run_plan(field, TOKENS, READS, "block")
    controller = TransitionController(LAYERS, TransitionSettings(bound=0.03, rise=0.5, suspects=1))
    first, second = (controller.observe(model, field, plan, text) for _ in range(2))
    assert controller.history == [first, second]
    assert first.verdict == second.verdict == "agrees: β raised"
    assert bool((first.after == 0.5).all()) and bool((second.after == 1).all())
    assert 0 < first.kl_nats < second.kl_nats <= 0.03
    third = controller.observe(model, broken, plan, text)
    assert third.kl_nats > 0.03
    assert third.verdict.startswith("disagrees: β lowered in layer")
    assert float(third.layer_kl_nats[DAMAGED]) > 0.03
    assert float(controller.beta[DAMAGED]) == float(controller.held[DAMAGED]) == 0.5
    assert (controller.beta < 1).nonzero().flatten().tolist() == [DAMAGED]
    fourth = controller.observe(model, broken, plan, text)
    assert float(fourth.tried[DAMAGED]) == 0.5, "it is not raised to the same place again"
    assert fourth.kl_nats < third.kl_nats
    assert len(controller.history) == 4
    assert bool((first.after == 0.5).all()), "what was seen is not rewritten"
