"""HSA inside every family: with room for all keys it is the model's own eager attention."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from hsa.errors import FieldError, InputError, ModelError
from hsa.inference.hsa_program import HSAProgram
from hsa.inference.plan import read_everything
from tests.inference.tiny import (
    ALL,
    PART,
    TRUSTING,
    adopted,
    field_of,
    inputs_of,
    padded,
    pass_through,
    plan_of,
)
from tests.models.eager import eager_copy

TOKENS = 45
READERS = ("llama", "qwen3", "mistral", "wide mistral", "mixed", "gpt2", "bert", "clip text")
FAMILIES = (*READERS, "vit", "clip vision")
LENGTHS = (TOKENS, 31, 7)


@pytest.fixture(scope="module", params=FAMILIES)
def family(request):
    loaded = adopted(request.param)
    inputs = inputs_of(request.param, TOKENS, batch=3)
    return request.param, loaded, inputs, field_of(loaded, inputs), eager_copy(loaded)


def everything(loaded, field, way):
    if way == "standard":
        return HSAProgram(loaded, None, read_everything(loaded.layers, loaded.query_heads))
    own = 400 if way == "alone" else 0
    return HSAProgram(loaded, field, plan_of(loaded, ALL, own))


WAYS = ("standard", "shared", "alone")


@pytest.mark.parametrize("way", WAYS)
def test_a_full_budget_is_eager_attention(family, way) -> None:
    _, loaded, inputs, field, eager = family
    program = everything(loaded, field, way)
    ours = pass_through(loaded, program, **inputs)
    assert program.ledger.fallbacks == 0
    torch.testing.assert_close(ours, pass_through_eager(eager, inputs), atol=5e-4, rtol=1e-3)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("family", READERS, indirect=True)
def test_a_full_budget_is_eager_attention_in_padded_batches(family, side, way) -> None:
    _, loaded, inputs, field, eager = family
    inputs = padded(inputs["input_ids"], LENGTHS, side)
    real = inputs["attention_mask"].bool()
    program = everything(loaded, field, way)
    ours = pass_through(loaded, program, **inputs)[real]
    theirs = pass_through_eager(eager, inputs)[real]
    assert program.ledger.fallbacks == 0
    torch.testing.assert_close(ours, theirs, atol=5e-4, rtol=1e-3)


def pass_through_eager(eager, inputs):
    with torch.no_grad():
        return eager.base_model(**inputs).last_hidden_state


def test_a_partial_budget_reads_less_and_is_not_eager_attention(family) -> None:
    """Otherwise the tests above would say nothing; sliding layers alone read their window."""
    kind, loaded, inputs, field, eager = family
    program = HSAProgram(loaded, field, plan_of(loaded, PART), guard=TRUSTING)
    ours = pass_through(loaded, program, **inputs)
    same = torch.allclose(ours, pass_through_eager(eager, inputs), atol=5e-4, rtol=1e-3)
    assert same == (kind == "mistral")
    assert (program.ledger.share_read == 1) == (kind == "mistral")
    assert program.ledger.share_read <= 1


@pytest.mark.parametrize(
    ("kind", "side"),
    [("llama", "left"), ("gpt2", "left")]
    + [(kind, "right") for kind in ("llama", "gpt2", "bert", "clip text")],
)
def test_padding_changes_no_text_at_a_partial_budget(kind, side) -> None:
    """Each text of a padded batch reads what it reads alone, at the same positions."""
    loaded = adopted(kind)
    ids = inputs_of(kind, TOKENS, batch=3)["input_ids"]
    field, plan = field_of(loaded, {"input_ids": ids}), plan_of(loaded, PART)
    inputs = padded(ids, LENGTHS, side)
    if side == "left":
        inputs["position_ids"] = (inputs["attention_mask"].cumsum(1) - 1).clamp_min(0)
    batch = HSAProgram(loaded, field, plan, guard=TRUSTING)
    together = pass_through(loaded, batch, **inputs)
    reads = 0.0
    for row, length in enumerate(LENGTHS):
        program = HSAProgram(loaded, field, plan, guard=TRUSTING)
        alone = pass_through(loaded, program, input_ids=ids[row : row + 1, :length])[0]
        there = together[row][inputs["attention_mask"][row].bool()]
        torch.testing.assert_close(there, alone, atol=5e-4, rtol=1e-3)
        reads += float(program.ledger.reads.sum())
    assert float(batch.ledger.reads.sum()) == pytest.approx(reads)


@pytest.mark.parametrize("own", [0, 400])
def test_bfloat16_stays_bfloat16(own) -> None:
    loaded = adopted("llama", torch.bfloat16)
    inputs = inputs_of("llama", TOKENS)
    field = field_of(adopted("llama"), inputs)
    program = HSAProgram(
        loaded, replace(field, fingerprint=loaded.fingerprint), plan_of(loaded, ALL, own)
    )
    ours = pass_through(loaded, program, **inputs)
    theirs = pass_through_eager(eager_copy(loaded), inputs)
    assert ours.dtype == torch.bfloat16
    assert program.ledger.fallbacks == 0
    exact = pass_through_eager(eager_copy(loaded).float(), inputs)
    errors = [float((found.float() - exact).norm() / exact.norm()) for found in (ours, theirs)]
    assert errors[0] < 1.2 * errors[1] < 0.1


def test_soft_caps_read_every_key_or_are_refused() -> None:
    loaded = adopted("gemma2")
    inputs = inputs_of("gemma2", TOKENS)
    field = field_of(loaded, inputs)
    whole = everything(loaded, field, "standard")
    ours = pass_through(loaded, whole, **inputs)
    theirs = pass_through_eager(eager_copy(loaded), inputs)
    torch.testing.assert_close(ours, theirs, atol=5e-4, rtol=1e-3)
    with pytest.raises(ModelError, match=r"softcap.*read every key"):
        pass_through(loaded, HSAProgram(loaded, field, plan_of(loaded, PART)), **inputs)
    off = HSAProgram(loaded, field, plan_of(loaded, PART).with_beta(0.0))
    assert torch.equal(pass_through(loaded, off, **inputs), ours)


def test_masks_that_say_more_than_padding_are_refused() -> None:
    loaded = adopted("llama")
    inputs = inputs_of("llama", TOKENS)
    field, plan = field_of(loaded, inputs), plan_of(loaded, PART)
    hole = torch.ones(1, TOKENS, dtype=torch.long)
    hole[0, 20] = 0
    packed = torch.cat([torch.arange(30), torch.arange(15)]).unsqueeze(0)
    for more in ({"attention_mask": hole}, {"position_ids": packed}):
        with pytest.raises(ModelError, match=r"mask cannot be read.*query"):
            pass_through(loaded, HSAProgram(loaded, field, plan), **inputs, **more)


def test_models_plans_and_fields_that_do_not_belong_together() -> None:
    llama, gpt2 = adopted("llama"), adopted("gpt2")
    inputs = inputs_of("llama", TOKENS)
    field = field_of(llama, inputs)
    with pytest.raises(FieldError, match="another model"):
        HSAProgram(gpt2, field, plan_of(gpt2, PART))
    with pytest.raises(InputError, match="plan belongs to another model"):
        HSAProgram(llama, field, read_everything(5, 4))
    with pytest.raises(ModelError, match="Another model runs"):
        pass_through(gpt2, HSAProgram(llama, field, plan_of(llama, PART)), **inputs)
