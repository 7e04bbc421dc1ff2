"""Held texts: judged as attention itself would answer, by other queries for every event."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from hsa.activations import Activations
from hsa.adaptation.held import Probe, judge, one_block, probe
from hsa.attention import exact
from hsa.attention.calibration import relative_error
from hsa.attention.reference import attend
from hsa.attention.spending import Spending
from hsa.field.layer_field import LayerField, stack

from .random_heads import random_field, random_text

READS = Spending(torch.tensor([20, 24, 16, 30]))
TEMPER, TILT = torch.full((2, 2, 3), 0.5), torch.full((2, 2, 3), 0.7)


def layer_field(*seeds: int) -> LayerField:
    return stack([random_field(seed) for seed in seeds], TEMPER, TILT)


def asked(text: Activations, queries: torch.Tensor) -> Probe:
    return probe(text, layer_field(1, 2), READS, queries)


@pytest.mark.parametrize("causal", [True, False])
def test_judging_says_what_attention_itself_errs_by(causal: bool) -> None:
    text = random_text(5, causal=causal)
    queries = one_block(text, 12, 110)
    field = layer_field(3, 4)
    found = judge([asked(text, queries)], field)
    given = attend(text, field, READS, queries)
    wanted = exact.output(text, exact.weights(text, queries))
    assert torch.allclose(found.error[0], relative_error(given.output, wanted), rtol=1e-4)
    assert torch.equal(found.reads[0], given.head_reads())


def test_some_heads_are_judged_as_among_all_of_them() -> None:
    probes = [asked(text, one_block(text, 8, 160)) for text in map(random_text, (1, 2))]
    whole = judge(probes, layer_field(3, 4))
    alone = stack([random_field(4)], TEMPER[[1]], TILT[[1]])
    assert torch.allclose(judge(probes, alone, [1]).error, whole.error[:, 2:], rtol=1e-5)


def test_every_event_asks_other_queries_of_the_second_half() -> None:
    text = random_text(5, tokens=400)
    first = asked(text, one_block(text, 8, 400))
    generator = torch.Generator().manual_seed(0)
    drawn = [first.asked_anew(8, generator) for _ in range(12)]
    assert len({tuple(one.queries.tolist()) for one in drawn}) > 6
    for one in drawn:
        assert int(one.queries.min()) >= 200 - 50 and int(one.queries.max()) < 400
        fresh = probe(text, layer_field(1, 2), READS, one.queries)
        assert torch.equal(one.wanted, fresh.wanted)


def test_what_no_query_sees_changes_nothing() -> None:
    text = random_text(5, tokens=400)
    queries = one_block(text, 8, 250)
    end = int(queries.max()) + 1
    told = judge([asked(text, queries)], layer_field(3, 4))
    later = replace(text, k=text.k.clone(), v=text.v.clone())
    later.k[:, end:], later.v[:, end:] = 9.0, -9.0
    assert torch.equal(judge([asked(later, queries)], layer_field(3, 4)).error, told.error)
