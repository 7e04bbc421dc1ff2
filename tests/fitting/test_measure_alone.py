"""What reads buy inside the model: measured, and spent."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from hsa.attention.own_calibration import own_curves
from hsa.attention.spending import spend_alone
from hsa.field.curves import OwnCurves
from hsa.field.shipped import shipped_field
from hsa.fitting.lookups import ASKED, NOISE, STRING, lookups
from hsa.fitting.measure_alone import measure_alone
from hsa.fitting.settings import Text
from hsa.fitting.windows import first_tokens
from tests.attention.block_layers import (
    DIRECTIONS,
    PLAN,
    attended,
    block_layer,
    softmax_attention,
    turned,
)
from tests.first_layers import field_of_first, first_layers


@DIRECTIONS
def test_an_error_is_that_of_the_blocks(causal: bool) -> None:
    """Over the last half of a short causal text; over all of one that is read both ways."""
    layer, field = block_layer(1, 61)
    layer, plan = turned(layer, PLAN, causal)
    curves = own_curves([layer], field, plan, [40, 9, 24])
    assert curves.tokens == 61 and curves.reads.tolist() == [9, 24, 40]
    exact = softmax_attention(layer)
    measured = slice(61 - 30, None) if causal else slice(None)
    for at, reads in enumerate([9, 24, 40]):
        found = attended(layer, field, plan, (reads,) * 4).output
        away = (found - exact).norm(dim=-1) / exact.norm(dim=-1)
        wanted = away.square()[:, :, measured].mean(-1).flatten()
        torch.testing.assert_close(curves.error[:, at].double(), wanted, rtol=1e-4, atol=1e-8)
    assert bool((curves.error[:, 0] > curves.error[:, 2]).all())


def test_texts_count_alike() -> None:
    layers = [block_layer(seed, 61)[0] for seed in (1, 2)]
    _, field = block_layer(1, 61)
    both = own_curves(layers, field, PLAN, [12]).error
    each = [own_curves([layer], field, PLAN, [12]).error for layer in layers]
    torch.testing.assert_close(both, (each[0] + each[1]) / 2)


@pytest.mark.parametrize("count", [47, 48, 200, 1000, 1003])
def test_strings_are_planted_and_asked_for_at_the_end(smollm2, story, count: int) -> None:
    tokens = first_tokens(smollm2.tokenize(story), count)
    found = lookups(tokens, torch.Generator().manual_seed(0))
    strings = min(ASKED, count // 4) // STRING
    assert len(found) == count and set(found.ids) <= set(tokens.ids)
    if not strings:
        assert found == tokens
        return
    prose, asked = found.ids[: -strings * STRING], found.ids[-strings * STRING :]
    joined = " ".join(map(str, prose)) + " "
    places = []
    for number in range(strings):
        string = asked[number * STRING : (number + 1) * STRING]
        places.append(joined.find(" ".join(map(str, string)) + " "))
    assert min(places) > 0, "every string stands in the text before"
    assert strings == 1 or places != sorted(places) or strings == 2
    assert found.strings[-1] == tokens.strings[tokens.ids.index(found.ids[-1])]
    filler = count - 2 * strings * STRING
    noise = [tokens.ids[(count // 2 + at) % count] for at in range(NOISE)]
    assert list(found.ids[: filler // strings])[:NOISE] == noise[: filler // strings]
    assert lookups(tokens, torch.Generator().manual_seed(1)).ids != found.ids


def test_a_model_is_measured_at_every_length(minilm, story: str) -> None:
    model = first_layers(minilm, layers=2)
    field = field_of_first(shipped_field("minilm", minilm.fingerprint), model)
    said: list[str] = []
    curves = measure_alone(
        model, field, [Text("story", story)], 128, lambda sentence, _: said.append(sentence)
    )
    assert [found.tokens for found in curves] == [64, 128]
    for found in curves:
        assert found.error.shape == (2, 12, len(found.reads)) and bool((found.error >= 0).all())
        assert float(found.error[..., -1].mean()) < 0.2 * float(found.error[..., 0].mean())
    assert "What reads buy in 64 tokens, layer 1" in said


def test_reads_go_where_squared_error_falls_most(smollm2) -> None:
    """Head 0 of layer 0 errs little from the first reads on, head 1 as long as it reads a part."""
    field = shipped_field("smollm2", smollm2.fingerprint)
    error = torch.full((30, 9, 2), 0.01)
    error[0, 0] = torch.tensor([0.01, 0.0])
    error[0, 1] = torch.tensor([9.0, 9.0])
    toy = replace(field, own_curves=(OwnCurves(1000, torch.tensor([10, 100]), error),))
    reads = spend_alone(toy, 30, 1000)
    assert int(reads[0, 1]) == 1000, "all keys"
    assert int(reads[0, 0]) == 100
    assert 29 <= float(reads.float().mean()) <= 30
    assert int(spend_alone(toy, 60, 2000)[0, 1]) == 2000, "reads grow with the text"
    whole = spend_alone(toy, 1000, 1000)
    assert int(whole.min()) == 1000
    older = replace(field, own_curves=())
    assert float(spend_alone(older, 30, 1000).float().mean()) <= 30
