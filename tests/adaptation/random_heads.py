"""Small random heads, key samples and texts of one layer."""

from __future__ import annotations

from dataclasses import fields

import torch

from hsa.activations import Activations
from hsa.adaptation.edit import Head
from hsa.adaptation.evidence import Evidence
from hsa.adaptation.keys import KeySample
from hsa.field.seeding import seed_in_frame
from hsa.field.splat_field import SplatField

DIM = 6


def random_field(
    seed: int, splats: tuple[int, int, int] = (2, 6, 24), dim: int = DIM
) -> SplatField:
    generator = torch.Generator().manual_seed(seed)
    centres = 3 * torch.randn(12, dim, generator=generator)
    x = centres.repeat(20, 1) + torch.randn(240, dim, generator=generator)
    field = seed_in_frame(x, torch.eye(dim), splats, generator, rounds=4)
    # Prior shares that add up to one on each level, as an adapted field keeps them.
    share = field.log_amplitude.clone()
    for level in range(3):
        rows = field.rows(level)
        share[rows] -= share[rows].logsumexp(0)
    return SplatField(
        field.frame, field.position, field.log_spread, share, field.level, field.parent,
        field.splat_id,
    )  # fmt: skip


def random_head(seed: int, splats: tuple[int, int, int] = (2, 6, 24)) -> Head:
    field = random_field(seed, splats)
    generator = torch.Generator().manual_seed(seed + 1)
    evidence = Evidence(
        **{of.name: torch.rand(field.splats, generator=generator) for of in fields(Evidence)}
    )
    return Head(field, evidence, int(field.splat_id.max()) + 1)


def random_keys(seed: int, count: int = 400, dim: int = DIM) -> KeySample:
    generator = torch.Generator().manual_seed(seed + 2)
    x = 4 * torch.randn(8, dim, generator=generator).repeat(count // 8, 1)
    x = x + torch.randn(count, dim, generator=generator)
    return KeySample(x.half(), torch.rand(count, generator=generator), count)


def random_text(
    seed: int, tokens: int = 160, causal: bool = True, dim: int = DIM, groups: int = 2
) -> Activations:
    generator = torch.Generator().manual_seed(seed)

    def drawn(heads: int) -> torch.Tensor:
        return torch.randn(heads, tokens, dim, generator=generator)

    special = torch.zeros(tokens, dtype=torch.bool)
    if not causal:
        special[[0, -1]] = True
    return Activations(3, drawn(2 * groups), 2 * drawn(groups), drawn(groups), 0.5, causal, special)
