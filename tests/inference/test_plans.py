"""Plans and programs that are refused before any model runs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hsa.errors import FieldError, InputError
from hsa.field.shipped import shipped_field
from hsa.inference.hsa_program import HSAProgram
from hsa.inference.plan import read_everything, run_plan, sensible_everything


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
