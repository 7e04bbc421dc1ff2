"""Birth: keys that draw attention and lie far from every splat get one (design §8)."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch

from hsa.adaptation.edit import Edit, Head
from hsa.adaptation.keys import Cloud, KeySample, routing_variance
from hsa.adaptation.splats import Splats
from hsa.field.seeding import k_means
from hsa.field.splat_field import PHRASE

KEYS_PER_BIRTH = 3
"""Far keys that a newborn needs; a lone key is read as a token at the same price."""


def births(
    head: Head, keys: KeySample, known: Cloud, threshold: float, most: int, new_id: Iterator[int],
    generator: torch.Generator,
) -> list[Edit]:  # fmt: skip
    """Phrases at the attention-weighted centres of far keys.

    A newborn's Section is that of the Phrase nearest to it; its prior share is that of its keys
    in the sample, and every other share shrinks by as much.

    Args:
        threshold: squared Mahalanobis distance per dimension beyond which a key is far.
        generator: for the start of the clustering.
    """
    field = head.field
    own, x = known.own[:, PHRASE], keys.of()
    distance = ((x - field.position[own]).square() / routing_variance(field)[own]).mean(1)
    far = distance > threshold
    x, weight, distance = x[far], keys.weight[far], distance[far]
    wanted = min(most, x.shape[0] // KEYS_PER_BIRTH)
    if wanted <= 0:
        return []
    weight = weight + weight.mean()
    of, centre = k_means(x, weight, wanted, generator, rounds=6)
    rows = field.rows(PHRASE)
    position, spread = field.position[rows], field.log_spread[rows].exp()
    edits: list[Edit] = []
    for cluster in range(wanted):
        mine = of == cluster
        count = int(mine.sum())
        if count < KEYS_PER_BIRTH:
            continue
        nearest = rows.start + int(((position - centre[cluster]) ** 2).sum(1).argmin())
        own = (weight[mine, None] * (x[mine] - centre[cluster]) ** 2).sum(0) / weight[mine].sum()
        trust = count / (count + 2.0)
        variance = trust * own + (1 - trust) * spread.mean(0)
        share = min(count / keys.x.shape[0], 0.05)
        edits.append(
            Edit(
                kind="birth",
                level=PHRASE,
                removed=(),
                put=Splats(
                    splat_id=torch.tensor([next(new_id)]),
                    parent_id=field.splat_id[field.parent[nearest]].view(1),
                    position=centre[cluster].unsqueeze(0),
                    log_spread=variance.clamp_min(1e-6).log().unsqueeze(0),
                    log_amplitude=torch.tensor([math.log(share)]),
                ).rounded(),
                shift=float(torch.tensor(math.log1p(-share))),
                evidence=float(distance[mine].mean()),
                threshold=threshold,
            )
        )
    return edits
