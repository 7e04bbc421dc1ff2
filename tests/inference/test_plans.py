"""Plans and programs that are refused before any model runs."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from hsa.attention.spending import sensible_everything
from hsa.commands import opening as commands
from hsa.errors import FieldError, InputError
from hsa.field.shipped import shipped_field
from hsa.fitting.windows import first_tokens
from hsa.inference.agreement import agreement
from hsa.inference.hsa_program import HSAProgram
from hsa.inference.plan import OPENINGS, read_everything, run_plan
from tests.first_layers import field_of_first, first_layers


def test_plans_and_programs_that_make_no_sense_are_refused(smollm2) -> None:
    field = shipped_field("smollm2", smollm2.fingerprint)
    for reads in (0, 97):
        with pytest.raises(InputError, match="reads"):
            run_plan(field, 96, reads)
    with pytest.raises(InputError, match="β"):
        run_plan(field, 96, 50).with_beta(1.5)
    with pytest.raises(FieldError, match="another model"):
        HSAProgram(smollm2, replace(field, fingerprint="x"), run_plan(field, 96, 50))
    with pytest.raises(FieldError, match="no field"):
        HSAProgram(smollm2, None, run_plan(field, 96, 50))


def test_a_plan_stays_within_the_reads_asked_for(smollm2) -> None:
    field = shipped_field("smollm2", smollm2.fingerprint)
    for tokens in (512, 4096, 8192):
        reads = sensible_everything(tokens)
        plan = run_plan(field, tokens, reads)
        assert plan.blocks is not None
        assert plan.blocks.most_read <= reads
        far = [own for row in plan.own for own in row]
        near = plan.blocks.most_read - plan.blocks.splats - plan.blocks.tokens
        assert near + sum(far) / len(far) <= reads
    assert run_plan(field, 512, 512).blocks is None
    assert read_everything(2, 3).own == ((0, 0, 0), (0, 0, 0))


@pytest.mark.parametrize("opening", ["query", "mixed"])
@pytest.mark.parametrize("tokens", [2048, 4096, 8192])
def test_heads_that_calibration_gives_every_key_stay_exact(smollm2, tokens, opening) -> None:
    field = shipped_field("smollm2", smollm2.fingerprint)
    reads = sensible_everything(tokens)
    plan = run_plan(field, tokens, reads, opening)
    assert plan.blocks is not None
    assert plan.exact is not None and 0 < int(plan.exact.sum()) < 30
    own = torch.tensor(plan.own)
    spent = int(own[~plan.exact].sum()) + tokens * int(plan.exact.sum())
    far = plan.blocks.splats + plan.blocks.tokens
    assert spent <= far * own.numel(), "exact heads are paid for by the others"
    kept = plan.with_beta(0.5)
    layer, head = plan.exact.nonzero()[0].tolist()
    assert kept.hsa_share(layer)[head] == 0 and kept.hsa_share(layer).max() == 0.5


def test_an_exact_head_reads_everything_and_answers_as_standard_does(smollm2, story) -> None:
    """Head 7 of layer 7 it is, so that layers up to there will do."""
    model = first_layers(smollm2, layers=8)
    field = field_of_first(shipped_field("smollm2", smollm2.fingerprint), model)
    tokens = first_tokens(model.tokenize(story), 200)
    plan = run_plan(field, 2048, 252)
    assert plan.exact is not None and plan.exact.nonzero().tolist() == [[7, 7]]
    only = replace(plan, beta=plan.exact.float())
    found = agreement(model, field, only, tokens)
    assert float(found.kl_nats.max()) < 1e-5
    found = agreement(model, field, plan, tokens)
    assert 0 < float(found.kl_nats.mean()) < 1


def test_the_commands_offer_every_opening() -> None:
    assert commands.OPENINGS == OPENINGS
