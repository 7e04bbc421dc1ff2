"""Peak memory of one pass of SmolLM2, measured in this process alone, and the estimate.

`python tests/memory/forward_peak.py TOKENS KIND` prints both in bytes as JSON. KIND is

    logits    logits of all tokens, exact attention
    last      logits of the last token alone
    cache     the same, keys and values kept
    hsa       logits of the last token under HSA, as `run_plan` has it for so many tokens
    blocked   blocked HSA of layer 15 alone, random q, k, v; every head shares its openings
    alone     the same; every query opens for itself
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from hsa.attention.block_plan import BlockPlan  # noqa: E402
from hsa.attention.blocked import blocked_attention  # noqa: E402
from hsa.field.checkpoint import load_field  # noqa: E402
from hsa.field.shipped import shipped_field, shipped_path  # noqa: E402
from hsa.memory.needed import (  # noqa: E402
    BlockedShape,
    ModelShape,
    blocked_bytes,
    forward_bytes,
)
from hsa.memory.peak import PeakMemory  # noqa: E402

if TYPE_CHECKING:
    from hsa.inference.hsa_program import HSAProgram
    from hsa.models.loaded import LoadedModel

SPLATS = 712
"""Of each key/value head of SmolLM2's shipped field."""


def shape_of(loaded: LoadedModel) -> ModelShape:
    config = loaded.model.config
    return ModelShape(
        layers=loaded.layers,
        hidden=config.hidden_size,
        intermediate=config.intermediate_size,
        query_heads=loaded.query_heads,
        key_value_heads=loaded.key_value_heads,
        head_dim=loaded.head_dim,
        vocabulary=config.vocab_size,
        number_bytes=loaded.model.dtype.itemsize,
    )


def forward(count: int, kind: str) -> tuple[int, int]:
    """Measured and estimated bytes of one pass of the whole model."""
    # Not at the top: these import transformers, for seconds that one layer can do without.
    from hsa.fitting.windows import first_tokens
    from hsa.models.capture import forward_logits
    from hsa.models.loading import load
    from hsa.models.program import running

    loaded = load("smollm2")
    story = (ROOT / "assets" / "prompts" / "moby-long.txt").read_text("utf-8")
    text = loaded.tokenize("\n".join([story] * (1 + count // 1500)))
    tokens = first_tokens(text, count)
    assert len(tokens) == count
    # The first pass reads the weights from disk; that is the model's memory, not the pass's.
    forward_logits(loaded, first_tokens(text, 16))
    ids = torch.tensor([list(tokens.ids)])
    program, shape = hsa_program(loaded, count) if kind == "hsa" else (None, None)
    with torch.no_grad(), PeakMemory() as peak:
        if kind == "logits":
            forward_logits(loaded, tokens)
        elif program is not None:
            with running(program):
                loaded.model(input_ids=ids, use_cache=False, logits_to_keep=1)
        else:
            loaded.model(input_ids=ids, use_cache=kind == "cache", logits_to_keep=1)
    rows = None if kind == "logits" else 1
    estimate = forward_bytes(shape_of(loaded), count, rows, kind == "cache", shape)
    return peak.process_bytes, estimate


def hsa_program(loaded: LoadedModel, count: int) -> tuple[HSAProgram, BlockedShape]:
    from hsa.inference.hsa_program import HSAProgram
    from hsa.inference.plan import run_plan

    field = shipped_field("smollm2", loaded.fingerprint)
    plan = run_plan(field, count)
    sizes = plan.blocks
    assert sizes is not None
    alone = max(sum(reads > 0 for reads in layer) for layer in plan.own)
    shape = BlockedShape(SPLATS, sizes.block, sizes.chunk, sizes.splats, sizes.tokens, alone)
    return HSAProgram(loaded, field, plan), shape


def blocked(count: int, alone: int) -> tuple[int, int]:
    """Measured and estimated bytes of blocked HSA of one layer of the shipped field."""
    path = shipped_path("smollm2")
    fingerprint = json.loads(path.with_suffix(".json").read_text())["fingerprint"]
    field = load_field(path, fingerprint).layer(15)
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(heads, count, 64, generator=generator) for heads in (9, 3, 3))
    own = [256] * alone + [0] * (9 - alone)
    with torch.no_grad(), PeakMemory() as peak:
        blocked_attention(q, k, v, 0.125, field, BlockPlan(), own)
    shape = ModelShape(30, 576, 1536, 9, 3, 64, 49152)
    return peak.process_bytes, blocked_bytes(shape, count, BlockedShape(SPLATS, alone=alone))


if __name__ == "__main__":
    count, kind = int(sys.argv[1]), sys.argv[2]
    if kind in ("blocked", "alone"):
        measured, estimate = blocked(count, 9 if kind == "alone" else 0)
    else:
        measured, estimate = forward(count, kind)
    found = {"tokens": count, "kind": kind, "measured": measured, "estimate": estimate}
    sys.stdout.write(json.dumps(found) + "\n")
