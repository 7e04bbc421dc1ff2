"""Both continuations of a prompt: alone, beside another visitor's, stopped, and refused."""

from __future__ import annotations

import threading

import pytest
import torch

from hsa.errors import InputError
from hsa.field.model_field import ModelField
from hsa.field.shipped import shipped_field
from hsa.inference.side_by_side import SideBySide
from hsa.inference.speed import speed, times_as_long
from hsa.inference.writing import Writing
from hsa.models.loaded import LoadedModel
from tests.first_layers import field_of_first, first_layers

SEA, CODE = (
    "The sea was calm, and the captain of the ship said",
    "def add(first, second):\n    return",
)


@pytest.fixture(scope="module")
def field(smollm2: LoadedModel) -> ModelField:
    return shipped_field("smollm2", smollm2.fingerprint)


def prepared(loaded: LoadedModel, field: ModelField, prompt: str, **asked) -> SideBySide:
    return SideBySide(loaded, field, loaded.tokenize(prompt).ids, Writing(**asked))


def ids(run: SideBySide) -> tuple[list[int], list[int]]:
    return [w.token for w in run.standard.written], [w.token for w in run.ours.written]


def test_two_visitors_at_once_get_what_each_gets_alone(smollm2, field) -> None:
    model = first_layers(smollm2, layers=5)
    field = field_of_first(field, model)
    asked = ((SEA, {"most": 5, "temperature": 0.9, "seed": 7}), (CODE, {"most": 4, "beta": 0.5}))
    alone = [prepared(model, field, prompt, **how) for prompt, how in asked]
    for run in alone:
        run.run()
    together = [prepared(model, field, prompt, **how) for prompt, how in asked]
    threads = [threading.Thread(target=run.run) for run in together]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one, other in zip(alone, together, strict=True):
        assert ids(one) == ids(other)
        assert one.agreement is not None and other.agreement is not None
        assert torch.equal(one.agreement.kl_nats, other.agreement.kl_nats)
        assert torch.equal(one.ours.ledger.reads, other.ours.ledger.reads)


def test_at_beta_zero_both_write_the_same_and_agree(smollm2, field) -> None:
    run = prepared(smollm2, field, SEA, most=3, beta=0.0)
    run.run()
    standard, ours = ids(run)
    assert standard == ours and len(ours) == 3
    found = run.agreement
    assert found is not None and found.everywhere is not None and found.on_written is not None
    assert float(found.kl_nats.max()) == 0.0
    assert found.everywhere.top_share == 1.0
    assert len(found.kl_nats) == len(run.ids) + 2 == found.everywhere.tokens
    assert found.on_written.tokens == 3
    # What was written at temperature 0 is what both held likeliest.
    assert found.tokens.ids[-3:] == tuple(ours)
    took = speed(run.ours.written)
    assert took is not None and took.reads == took.keys == len(run.ids) + 1.5
    assert times_as_long(run.standard.written, run.ours.written) is not None


def test_a_stop_in_mid_stream_keeps_and_measures_what_was_written(smollm2, field) -> None:
    run = prepared(smollm2, field, SEA, most=50)
    run.run(stopped=lambda: len(run.ours.written) >= 2)
    assert run.stopped and run.stage == "done"
    assert len(run.ours.written) == 2 and len(run.standard.written) <= 3
    assert run.agreement is not None
    assert len(run.agreement.tokens) == len(run.ids) + 2


def test_a_stop_does_not_wait_for_the_prompt(smollm2, field) -> None:
    run = prepared(smollm2, field, SEA, most=5)
    run.run(stopped=lambda: bool(run.standard.written), abandoned=lambda: True)
    assert len(run.standard.written) == 1 and not run.ours.written
    assert run.agreement is None and run.stage == "done"
    run.measure(stopped=lambda: True)
    assert run.agreement is None
    run.measure()
    assert run.agreement is not None and run.agreement.on_written is None


def test_beta_of_layers_is_checked() -> None:
    asked = Writing(beta=0.5, layer_beta={2: 0.0})
    assert asked.betas(4) == (0.5, 0.5, 0.0, 0.5)
    with pytest.raises(InputError, match="lacks"):
        asked.betas(2)
    for wrong in ({"beta": 1.5}, {"most": 0}, {"temperature": -1.0}):
        with pytest.raises(InputError, match="out of bounds"):
            Writing(**wrong)  # type: ignore[arg-type]


def test_what_cannot_be_run_is_refused_before_it_runs(smollm2, field) -> None:
    with pytest.raises(InputError, match="β"):
        prepared(smollm2, field, SEA, layer_beta={1: 2.0})
    with pytest.raises(InputError, match="reads"):
        prepared(smollm2, field, SEA, everything=100_000)
    long = SideBySide(smollm2, field, [5] * 8190, Writing(most=40))
    with pytest.raises(InputError, match="would not fit"):
        long.run()
