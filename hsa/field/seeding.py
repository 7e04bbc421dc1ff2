"""Splats from a sample of keys: k-means in the query metric, level upon level (design §2)."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hsa.errors import InputError
from hsa.field.frame import frame_of
from hsa.field.splat_field import SplatField

LEAST_VARIANCE = 1e-4
"""Share of the mean variance below which no spread falls."""


def seed_field(
    keys: Float[Tensor, "S D"],
    query_moment: Float[Tensor, "D D"],
    splats: tuple[int, int, int],
    generator: torch.Generator,
    rounds: int = 15,
) -> SplatField:
    """Documents, Sections and Phrases of one key/value head.

    Phrases are k-means clusters of keys in the frame; Sections cluster Phrases and Documents
    cluster Sections, weighted by the keys they hold, so that the levels nest.

    Args:
        splats: how many (Documents, Sections, Phrases).
    """
    documents, sections, phrases = splats
    if keys.shape[0] < phrases or not 1 <= documents <= sections <= phrases:
        raise InputError(
            "The field cannot be seeded",
            got=f"{keys.shape[0]} keys for {splats} Documents, Sections and Phrases",
            needed="1 ≤ Documents ≤ Sections ≤ Phrases ≤ keys",
            attempt="give more text, or ask for fewer splats",
        )
    frame = frame_of(query_moment)
    return seed_in_frame(keys.float() @ frame.mT, frame, splats, generator, rounds)


def seed_in_frame(
    x: Float[Tensor, "S D"],
    frame: Float[Tensor, "D D"],
    splats: tuple[int, int, int],
    generator: torch.Generator,
    rounds: int = 15,
) -> SplatField:
    """The same of keys that stand in a frame already; at least as many keys as Phrases."""
    documents, sections, phrases = splats
    phrase_of, _ = k_means(x, torch.ones(x.shape[0]), phrases, generator, rounds)
    count, mean, variance = _cluster_moments(x, phrase_of, phrases)
    section_of, _ = k_means(mean, count, sections, generator, rounds)
    weighted = torch.zeros(sections, mean.shape[1]).index_add_(
        0, section_of, mean * count.unsqueeze(1)
    )
    section_count = torch.zeros(sections).index_add_(0, section_of, count)
    section_mean = weighted / section_count.clamp_min(1).unsqueeze(1)
    document_of, _ = k_means(section_mean, section_count, documents, generator, rounds)

    levels = [document_of[section_of[phrase_of]], section_of[phrase_of], phrase_of]
    stats = [_cluster_moments(x, of, size) for of, size in zip(levels, splats, strict=True)]
    spread = torch.cat([s[2] for s in stats])
    spread = spread.clamp_min(LEAST_VARIANCE * float(variance.mean()))
    total = float(x.shape[0])
    return SplatField(
        frame=frame,
        position=torch.cat([s[1] for s in stats]),
        log_spread=spread.log(),
        log_amplitude=torch.cat([(s[0].clamp_min(0.5) / total).log() for s in stats]),
        level=torch.cat([torch.full((n,), at) for at, n in enumerate(splats)]),
        parent=torch.cat([torch.full((documents,), -1), document_of, documents + section_of]),
        splat_id=torch.arange(sum(splats)),
    )


def k_means(
    x: Float[Tensor, "S D"],
    weight: Float[Tensor, " S"],
    clusters: int,
    generator: torch.Generator,
    rounds: int,
) -> tuple[Int[Tensor, " S"], Float[Tensor, "K D"]]:
    """Lloyd's algorithm; an empty cluster restarts at the point farthest from its own."""
    start = torch.randperm(x.shape[0], generator=generator)[:clusters]
    centre = x[start].clone()
    of = torch.zeros(x.shape[0], dtype=torch.long)
    square = (x * x).sum(1)
    for _ in range(rounds):
        score = x @ centre.mT - 0.5 * (centre * centre).sum(1)
        best, of = score.max(1)
        total = torch.zeros(clusters).index_add_(0, of, weight)
        centre = torch.zeros_like(centre).index_add_(0, of, x * weight.unsqueeze(1))
        centre /= total.clamp_min(1e-12).unsqueeze(1)
        empty = (total == 0).nonzero().squeeze(1)
        if empty.numel():
            far = ((square - 2 * best) * weight).topk(empty.numel()).indices
            centre[empty] = x[far]
    of = (x @ centre.mT - 0.5 * (centre * centre).sum(1)).argmax(1)
    return _without_empty(x, of, centre)


def _without_empty(
    x: Float[Tensor, "S D"], of: Int[Tensor, " S"], centre: Float[Tensor, "K D"]
) -> tuple[Int[Tensor, " S"], Float[Tensor, "K D"]]:
    """Give every cluster that lost its last point one point of the largest cluster."""
    count = torch.bincount(of, minlength=centre.shape[0])
    for cluster in (count == 0).nonzero().squeeze(1).tolist():
        largest = int(count.argmax())
        point = int((of == largest).nonzero()[0])
        of[point] = cluster
        centre[cluster] = x[point]
        count[largest] -= 1
        count[cluster] += 1
    return of, centre


def _cluster_moments(
    x: Float[Tensor, "S D"], of: Int[Tensor, " S"], clusters: int
) -> tuple[Float[Tensor, " K"], Float[Tensor, "K D"], Float[Tensor, "K D"]]:
    """Count, mean and variance of the points of each cluster; a lone point takes the mean
    variance of all clusters, since one key says nothing of how far its like are spread.
    """
    count = torch.bincount(of, minlength=clusters).float()
    safe = count.clamp_min(1).unsqueeze(1)
    mean = torch.zeros(clusters, x.shape[1]).index_add_(0, of, x) / safe
    variance = torch.zeros_like(mean).index_add_(0, of, (x - mean[of]).square()) / safe
    typical = (variance * count.unsqueeze(1)).sum(0) / count.sum()
    shrink = 2.0 / (count.unsqueeze(1) + 2.0)
    return count, mean, (1 - shrink) * variance + shrink * typical
