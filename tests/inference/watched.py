"""Forward passes whose every fallback is seen three times: counted, told and logged."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable

import pytest
import torch

from hsa.inference.hsa_program import HSAProgram
from hsa.models.adopt import adopt
from hsa.models.loaded import LoadedModel
from tests.inference.tiny import inputs_of, pass_through


def run(
    program: HSAProgram,
    text: dict[str, torch.Tensor],
    caplog: pytest.LogCaptureFixture | None = None,
) -> torch.Tensor:
    """The last hidden states, with every fallback logged, counted and told alike."""
    if caplog is not None:
        caplog.clear()
    told, before = [], (program.ledger.fallbacks, program.ledger.adjustments)
    program.ledger.tell = told.append
    found = pass_through(program.loaded, program, **text)
    kinds = [notice.kind for notice in told]
    assert kinds.count("fallback") == program.ledger.fallbacks - before[0]
    assert kinds.count("adjustment") == program.ledger.adjustments - before[1]
    kept = len(program.ledger.notices) < 200
    assert not kept or program.ledger.notices[sum(before) :] == told
    if caplog is not None:
        logged = [r for r in caplog.records if r.name == "hsa.inference"]
        assert [r.levelno for r in logged] == [logging.WARNING] * len(told)
        assert all(n.message in r.message for n, r in zip(told, logged, strict=True))
    return found


def with_keys(
    loaded: LoadedModel, layer: int, change: Callable[[torch.Tensor], object]
) -> LoadedModel:
    """Another model with that layer's key projection changed."""
    model = copy.deepcopy(loaded.model)
    change(model.model.layers[layer].self_attn.k_proj.weight)
    return adopt(model, inputs_of("llama", 12))
