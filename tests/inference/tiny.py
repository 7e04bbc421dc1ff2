"""Tiny random models of many families, adopted, and fields seeded on their own keys."""

from __future__ import annotations

from dataclasses import replace

import torch
import transformers
from torch import Tensor

from hsa.attention.block_plan import BlockPlan
from hsa.field.model_field import ModelField
from hsa.field.seeding import seed_field
from hsa.inference.guard import Guard
from hsa.inference.hsa_program import HSAProgram
from hsa.inference.plan import RunPlan
from hsa.models.adopt import adopt
from hsa.models.loaded import LoadedModel
from hsa.models.program import AttentionCall, running
from hsa.models.splat_cache import splat_cache
from hsa.models.substitution import standard
from tests.models.conftest import GROUPED, SMALL, VOCABULARY, build

TRUSTING = Guard(bound=1e6)
"""Lets every finite answer stand: these tests look at HSA's own numbers."""

PART = BlockPlan(block=8, splats=6, tokens=8, scored=4, chunk=2)
ALL = BlockPlan(block=8, splats=40, tokens=400, scored=4, chunk=3)
"""Room for every Phrase of a tiny field and every token of a short text."""

PICTURE = {"image_size": 32, "patch_size": 4, "hidden_act": "gelu"}


def adopted(kind: str, dtype: torch.dtype = torch.float32) -> LoadedModel:
    model = _built(kind).eval().requires_grad_(False).to(dtype)
    return adopt(model, inputs_of(kind, 12, seed=5))


def _built(kind: str) -> torch.nn.Module:
    torch.manual_seed(7)
    if kind == "qwen3":
        return transformers.Qwen3ForCausalLM(transformers.Qwen3Config(**GROUPED, head_dim=8))
    if kind == "gemma2":
        config = transformers.Gemma2Config(**GROUPED, head_dim=8, sliding_window=512)
        return transformers.Gemma2ForCausalLM(config)
    if kind == "wide mistral":  # a window that no text here fills
        config = transformers.MistralConfig(**GROUPED, sliding_window=90)
        return transformers.MistralForCausalLM(config)
    if kind == "mixed":  # the first layer slides, the others see everything
        types = ["sliding_attention", "full_attention", "full_attention"]
        config = transformers.Qwen2Config(
            **GROUPED, use_sliding_window=True, sliding_window=8, layer_types=types
        )
        return transformers.Qwen2ForCausalLM(config)
    if kind == "vit":
        config = transformers.ViTConfig(**SMALL, **PICTURE)
        return transformers.ViTModel(config)
    if kind == "clip vision":
        return transformers.CLIPVisionModel(transformers.CLIPVisionConfig(**SMALL, **PICTURE))
    if kind == "clip text":
        return transformers.CLIPTextModel(transformers.CLIPTextConfig(**SMALL))
    return build(kind)


def inputs_of(kind: str, tokens: int, batch: int = 1, seed: int = 0) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    if kind in ("vit", "clip vision"):
        return {"pixel_values": torch.randn(batch, 3, 32, 32, generator=generator)}
    return {"input_ids": random_ids(tokens, batch, generator)}


def random_ids(tokens: int, batch: int, generator: torch.Generator) -> Tensor:
    return torch.randint(4, len(VOCABULARY), (batch, tokens), generator=generator)


def padded(ids: Tensor, lengths: tuple[int, ...], side: str) -> dict[str, Tensor]:
    """Texts of these lengths, cut from the rows of `ids`, as one batch with a mask."""
    longest = max(lengths)
    rows = torch.zeros(len(lengths), longest, dtype=torch.long)
    mask = torch.zeros_like(rows)
    for row, length in enumerate(lengths):
        place = slice(longest - length, None) if side == "left" else slice(length)
        rows[row, place], mask[row, place] = ids[row, :length], 1
    return {"input_ids": rows, "attention_mask": mask}


def field_of(
    loaded: LoadedModel, inputs: dict[str, Tensor], splats: tuple[int, int, int] = (2, 4, 12)
) -> ModelField:
    """A field seeded on the keys of one forward pass; uncalibrated."""
    calls: dict[torch.nn.Module, AttentionCall] = {}

    def record(call: AttentionCall) -> Tensor:
        calls[call.module] = call
        return standard(call)

    with torch.no_grad(), running(record):
        loaded.model.base_model(**inputs)
    generator = torch.Generator().manual_seed(0)
    layers = []
    for module in loaded.attention_modules:
        call = calls[module]
        groups, dim = call.key.shape[1], call.key.shape[3]
        keys = call.key.movedim(1, 0).reshape(groups, -1, dim)
        q = (call.scaling * call.query).movedim(1, 0).reshape(groups, -1, dim)
        moment = q.mT @ q / q.shape[1]
        layers.append(
            tuple(seed_field(keys[g], moment[g], splats, generator, 4) for g in range(groups))
        )
    shape = (loaded.layers, loaded.query_heads, 3)
    return ModelField(
        model=loaded.name, fingerprint=loaded.fingerprint, positions=loaded.max_tokens,
        heads=tuple(layers), temper=torch.full(shape, 0.75), tilt=torch.zeros(shape), curves=(),
        spending="uniform", spending_errors=(), fitted_on=(), calibrated_on=(), seed=0,
    )  # fmt: skip


def plan_of(loaded: LoadedModel, blocks: BlockPlan, own: int = 0) -> RunPlan:
    """`own` far reads for queries of every head, or for those of all but the first."""
    row = (own,) * loaded.query_heads
    layers = ((0, *row[1:]), *((row,) * (loaded.layers - 1)))
    return RunPlan(blocks, layers, torch.ones(loaded.layers, loaded.query_heads))


def with_cache(
    loaded: LoadedModel,
    field: ModelField | None,
    plan: RunPlan,
    longest: int | None = None,
    guard: Guard = TRUSTING,
) -> HSAProgram:
    """A program with a growing cache, or one of fixed size."""
    return HSAProgram(loaded, field, plan, splat_cache(loaded.model.config, longest), guard)


def pass_through(loaded: LoadedModel, program: object, **inputs: Tensor) -> Tensor:
    """Last hidden states of one forward pass without a cache."""
    if loaded.causal and "input_ids" in inputs:
        inputs["use_cache"] = False
    with torch.no_grad(), running(program):
        return loaded.model.base_model(**inputs).last_hidden_state


def damaged(field: ModelField, layer: int, **tensors: Tensor) -> ModelField:
    """The field with some tensors of one layer's heads replaced."""
    heads = list(field.heads)
    heads[layer] = tuple(replace(head, **tensors) for head in heads[layer])
    return replace(field, heads=tuple(heads))
