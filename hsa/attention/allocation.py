"""Reads per head: the largest fall of error per read first (design §6)."""

from __future__ import annotations

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor


def lower_hull(
    reads: Float[Tensor, " K"], error: Float[Tensor, " K"]
) -> tuple[Float[Tensor, " V"], Float[Tensor, " V"]]:
    """The vertices of the convex, falling hull under an error curve."""
    vertices: list[tuple[float, float]] = []
    for r, e in sorted(zip(reads.tolist(), error.tolist(), strict=True)):
        if vertices and r <= vertices[-1][0]:
            if e < vertices[-1][1]:
                vertices.pop()
            else:
                continue
        while len(vertices) > 1:
            (r0, e0), (r1, e1) = vertices[-2:]
            if (e - e0) * (r1 - r0) <= (e1 - e0) * (r - r0):
                vertices.pop()
            else:
                break
        vertices.append((r, e))
    falling = [vertices[0]]
    falling += [later for before, later in pairwise(vertices) if later[1] < before[1]]
    points = torch.tensor(falling)
    return points[:, 0], points[:, 1]


def spread_reads(
    reads: Float[Tensor, "H K"], error: Float[Tensor, "H K"], mean_reads: float
) -> Float[Tensor, " H"]:
    """Reads of each head, `mean_reads` on average, that leave the least mean error.

    Greedy on the hulls of the error curves: their segments in order of error removed per read,
    the last one taken in part. Reads beyond every curve are shared alike.
    """
    hulls = [lower_hull(r, e) for r, e in zip(reads, error, strict=True)]
    given = torch.stack([r[0] for r, _ in hulls])
    segments = sorted(
        ((e[k] - e[k + 1]) / (r[k + 1] - r[k]), -k, head, r[k + 1] - r[k])
        for head, (r, e) in enumerate(hulls)
        for k in range(len(r) - 1)
    )[::-1]
    left = mean_reads * len(hulls) - float(given.sum())
    for _, _, head, length in segments:
        if left <= 0:
            break
        step = min(float(length), left)
        given[head] += step
        left -= step
    return given + max(left, 0.0) / len(hulls)
