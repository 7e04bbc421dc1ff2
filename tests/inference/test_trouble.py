"""Heads in repeated trouble are changed by what caused it, and it is said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hsa.errors import InputError
from hsa.inference.guard import Guard
from hsa.inference.hsa_program import HSAProgram
from tests.inference.tiny import PART, adopted, field_of, inputs_of, plan_of
from tests.inference.watched import run, with_keys


def test_repeated_error_gets_more_reads_until_it_is_given_up(llama, unseen) -> None:
    loaded, field = llama
    program = HSAProgram(
        loaded, field, plan_of(loaded, PART, 4), guard=Guard(bound=0.001, patience=1)
    )
    reads = []
    for times in (2, 4, 8):
        before = program.ledger.reads.clone()
        run(program, unseen)
        reads.append(float((program.ledger.reads - before).sum()))
        assert float(program.health.more_reads.max()) == times
    said = [n.message for n in program.ledger.notices if n.kind == "adjustment"]
    assert said[0] == "error 1 times: reads x 2 from now on"
    assert float(program.health.beta.min()) == 1
    for _ in range(4):
        run(program, unseen)
    said = [n.message for n in program.ledger.notices if n.kind == "adjustment"]
    assert any("β x 0.5" in message for message in said)
    assert float(program.health.beta.min()) == 0


def test_repeated_numbers_that_are_not_finite_lower_temper_and_then_beta(llama, unseen) -> None:
    loaded, field = llama
    broken = with_keys(loaded, 1, lambda weight: weight[:8].fill_(3e19))
    field = replace(field, fingerprint=broken.fingerprint)
    guard = Guard(bound=1e6, patience=2)
    program = HSAProgram(broken, field, plan_of(broken, PART, 16), guard=guard)
    tempers = []
    for _ in range(10):
        run(program, unseen)
        tempers.append(float(program.health.temper[1, 0]))
    assert tempers[:5] == [1, 0.5, 0.5, 0.25, 0.25]
    assert float(program.health.temper[1, 2]) == 1
    assert float(program.health.beta[1, 0]) < 1
    said = [n.message for n in program.ledger.notices if n.kind == "adjustment"]
    assert said[0] == "not finite 2 times: τ x 0.5 from now on"


def test_more_reads_reach_bidirectional_heads() -> None:
    loaded = adopted("bert")
    inputs = inputs_of("bert", 60, batch=1)
    field = field_of(loaded, inputs)
    program = HSAProgram(loaded, field, plan_of(loaded, PART, 4), guard=Guard(0.001, patience=1))
    reads = []
    for _ in range(2):
        run(program, inputs)
        reads.append(program.ledger.checked_error()[2, 1])
    assert float(program.health.more_reads[2, 1]) == 4
    assert reads[1] < reads[0]


def test_guards_that_make_no_sense_are_refused() -> None:
    for wrong in ({"bound": 0.0}, {"checked": -1}, {"every": 0}, {"patience": 0}):
        with pytest.raises(InputError, match=next(iter(wrong))):
            Guard(**wrong)
