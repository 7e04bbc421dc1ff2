"""What splats hold in reference texts: every key once a level, weights as attention has them."""

from __future__ import annotations

import pytest
import torch

from hsa.attention.exact import weights
from hsa.field.shipped import shipped_field
from hsa.models.capture import capture
from hsa.models.loaded import LoadedModel
from hsa.specialization.layer_keys import SINKS
from hsa.specialization.passages import Passage
from hsa.specialization.reference_keys import excerpts, reference_keys


def test_held_keys_and_their_weights(smollm2: LoadedModel, reference_texts: list[str]) -> None:
    text = reference_texts[0][:1200]
    passage = Passage(0, text, smollm2.tokenize(text))
    field = shipped_field("smollm2", smollm2.fingerprint).layer(1)
    found = reference_keys(smollm2, field, [passage], 1)
    group, head = 2, 7
    for level in range(3):
        rows = (field.level[group] == level).nonzero().squeeze(1).tolist()
        counts = [excerpts(found, group, head, row, 0)[0] for row in rows]
        assert sum(counts) == len(passage.tokens) - SINKS
    row = int(found[0].row[group, :, 0].mode().values)
    count, shown = excerpts(found, group, head, row, 5)
    assert count >= len(shown) == 5
    assert [one.received for one in shown] == sorted((o.received for o in shown), reverse=True)
    exact = weights(capture(smollm2, passage.tokens, [1])[1])[head]
    own = found[0].row[group, :, 0] == row
    for one in shown:
        assert one.token == passage.tokens.strings[one.position]
        assert one.given == pytest.approx(float(exact[one.position][own].sum()), abs=1e-5)
        wanted = float(exact[:, one.position].sum()) / len(passage.tokens)
        assert one.received == pytest.approx(wanted, abs=1e-6)
        assert (one.before + one.token + one.after).strip() in "".join(passage.tokens.strings)
    assert torch.equal(found[0].received.sum(1).round(), torch.ones(9))
