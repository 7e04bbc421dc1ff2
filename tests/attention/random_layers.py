"""Layers made of random numbers whose keys lie in clusters, as a model's do."""

from __future__ import annotations

import torch
from torch import Tensor

from hsa.activations import Activations
from hsa.field.layer_field import LayerField, stack
from hsa.field.seeding import seed_field

SPLATS = (3, 7, 20)


def random_layer(
    seed: int,
    tokens: int = 60,
    groups: int = 2,
    group: int = 2,
    dim: int = 6,
    causal: bool = True,
    special: tuple[int, ...] = (),
    splats: tuple[int, int, int] = SPLATS,
    sharpness: float = 2.0,
) -> tuple[Activations, LayerField]:
    """Activations, and a field that was fitted on other keys from the same clusters."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    centres = 2.0 * normal(groups, 8, dim)

    def keys(count: int) -> Tensor:
        of = torch.randint(8, (count,), generator=generator)
        return centres[:, of] + 0.7 * normal(groups, count, dim)

    near_special = torch.zeros(tokens, dtype=torch.bool)
    near_special[list(special)] = True
    k = keys(tokens)
    activations = Activations(
        layer=0,
        q=sharpness * normal(groups * group, tokens, dim),
        k=k,
        v=normal(groups, tokens, dim) + k.flip(-1),
        scaling=dim**-0.5,
        causal=causal,
        near_special=near_special,
    )
    q = sharpness * dim**-0.5 * normal(groups, 400, dim)
    moment = q.mT @ q / 400
    sample = keys(400)
    fields = [seed_field(sample[g], moment[g], splats, generator, rounds=3) for g in range(groups)]
    temper = torch.rand(groups, group, 3, generator=generator)
    tilt = 1.5 * torch.rand(groups, group, 3, generator=generator)
    return activations, stack(fields, temper, tilt)


def relative(given: Tensor, wanted: Tensor) -> float:
    """Largest difference, as a share of the largest value wanted."""
    return float((given.double() - wanted.double()).abs().max() / wanted.double().abs().max())
