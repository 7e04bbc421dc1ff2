"""Evidence of a text adds up to what HSA errs by on it."""

from __future__ import annotations

import pytest
import torch

from hsa.adaptation.held import one_block
from hsa.adaptation.observe import Observation, observe
from hsa.attention import exact
from hsa.attention.calibration import relative_error
from hsa.attention.reference import attend
from hsa.attention.spending import Spending
from hsa.field.layer_field import stack

from .random_heads import random_field, random_text

READS = Spending(torch.tensor([20, 24, 16, 30]))
TILT = torch.full((2, 2, 3), 0.7)


def observed(causal: bool, tilt: torch.Tensor = TILT) -> tuple[list[Observation], torch.Tensor]:
    text = random_text(5, causal=causal)
    fields = [random_field(1), random_field(2)]
    field = stack(fields, torch.full((2, 2, 3), 0.5), tilt)
    queries = torch.cat([one_block(text, 8, end) for end in (90, 160)]).unique()
    given = attend(text, field, READS, queries)
    wanted = exact.output(text, exact.weights(text, queries))
    return observe(text, fields, field, READS, queries), relative_error(given.output, wanted)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("leaning", [0.0, 0.7])
def test_errors_of_all_splats_are_the_squared_error(causal: bool, leaning: float) -> None:
    seen, error = observed(causal, torch.full((2, 2, 3), leaning))
    for group, of in enumerate(seen):
        mine = error[2 * group : 2 * group + 2]
        assert torch.allclose(of.error, mine, rtol=1e-4)
        assert float(of.seen.error.sum()) == pytest.approx(float(mine.square().mean()), rel=1e-3)


def test_mass_is_the_attention_that_far_keys_draw() -> None:
    seen, _ = observed(causal=True)
    for of in seen:
        by_level = [float(of.seen.mass[random_field(1).rows(level)].sum()) for level in range(3)]
        assert by_level == pytest.approx([by_level[0]] * 3, rel=1e-5)
        assert 0 < by_level[0] < 1
        assert float(of.received.sum()) <= 1 + 1e-5
        assert bool((of.seen.closed <= 1).all())
