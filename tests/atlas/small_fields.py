"""Small random fields with a proper hierarchy."""

from __future__ import annotations

import torch

from hsa.field.splat_field import SplatField


def small_field(
    documents: int = 2, sections: int = 4, phrases: int = 24, dim: int = 8, seed: int = 0
) -> SplatField:
    """Phrases around their Sections, Sections around their Documents."""
    dice = torch.Generator().manual_seed(seed)
    document = 6 * torch.randn(documents, dim, generator=dice)
    of_section = torch.arange(sections) % documents
    section = document[of_section] + 2 * torch.randn(sections, dim, generator=dice)
    of_phrase = torch.arange(phrases) % max(sections, 1)
    phrase = section[of_phrase] + 0.5 * torch.randn(phrases, dim, generator=dice)
    splats = documents + sections + phrases
    return SplatField(
        frame=torch.eye(dim),
        position=torch.cat([document, section, phrase]),
        log_spread=torch.randn(splats, dim, generator=dice),
        log_amplitude=torch.cat(
            [torch.full((n,), 1 / max(n, 1)).log() for n in (documents, sections, phrases)]
        ),
        level=torch.tensor([0] * documents + [1] * sections + [2] * phrases),
        parent=torch.cat([torch.full((documents,), -1), of_section, documents + of_phrase]),
        splat_id=torch.arange(splats),
    )
