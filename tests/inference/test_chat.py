"""A conversation, and the controller that watches it."""

from __future__ import annotations

import pytest

from hsa.errors import InputError
from hsa.field.shipped import shipped_field
from hsa.inference.chat import Chat
from hsa.inference.transition import TransitionSettings
from hsa.inference.writing import Writing


def test_beta_rises_over_turns_that_agree(smollm2) -> None:
    field = shipped_field("smollm2", smollm2.fingerprint)
    talk = Chat(smollm2, field, TransitionSettings(bound=5.0, rise=0.5))
    with pytest.raises(InputError, match="empty"):
        talk.answer("", Writing(most=4))
    assert not talk.turns and talk.stage == "waiting for a question"

    talk.answer("What is the capital of France?", Writing(most=8))
    first = talk.turns[0]
    assert "Paris" in first.answer
    assert first.mean_beta == 0.0, "the first answer is standard attention's own"
    assert first.observed is not None and first.observed is talk.controller.history[0]
    assert float(talk.controller.beta.min()) == 0.5

    talk.answer("And of Italy?", Writing(most=3), abandoned=lambda: True)
    second = talk.turns[1]
    assert second.mean_beta == 0.5
    assert second.tokens > first.tokens
    assert second.observed is None and len(talk.controller.history) == 1
    assert second.speed is not None and second.speed.tokens == 3
