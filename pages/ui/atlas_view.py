"""The atlas before the visitor: heads, layouts, attributes and marks, ready to draw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pages.ui import atlas_use, choices, engine
from pages.ui.atlas_attributes import AtlasHead, attributes
from pages.ui.atlas_layouts import Wanted, layouts
from pages.ui.case import Case

if TYPE_CHECKING:
    from torch import Tensor

    from hsa.atlas.alignment import Similarity
    from hsa.atlas.atlas import Atlas
    from hsa.atlas.layout import Layout
    from hsa.models.loaded import LoadedModel
    from pages.ui.atlas_map import Marks
    from pages.ui.waiting import Progress


@dataclass(frozen=True)
class AtlasView:
    """What is shown.

    Attributes:
        layer, group: the key/value head chosen; others may be shown beside it.
        words: what each splat holds, "" for nothing.
        marks: the prompt's keys and queries; None without a prompt.
        missing: UMAP layouts that are still to be made.
        notes: sentences on what the layouts are, where there is something to know.
        key: names the content.
    """

    asked: Case | None
    loaded: LoadedModel
    ready: engine.ReadyField
    layer: int
    group: int
    heads: tuple[AtlasHead, ...]
    atlas: Atlas
    method: str
    words: tuple[str, ...]
    marks: Marks | None
    missing: tuple[Wanted, ...]
    notes: tuple[str, ...]
    key: tuple

    @property
    def heads_of_group(self) -> int:
        """Query heads that read one key/value head."""
        return self.loaded.query_heads // self.loaded.key_value_heads

    @property
    def rows(self) -> slice:
        """The atlas's rows of the head chosen."""
        return self.atlas.rows(self.layer, self.group)

    @property
    def chosen(self) -> int | None:
        """The row of the splat chosen."""
        splat = choices.SPLAT.value
        return None if splat is None else self.atlas.row_of(self.layer, self.group, splat)

    @property
    def title(self) -> str:
        """What is shown, in words."""
        names = [f"layer {layer}, head {group}" for layer, group in self.atlas.heads]
        return f"{self.loaded.title}: {'; '.join(names)}"


def atlas_view(
    asked: Case | None,
    loaded: LoadedModel,
    ready: engine.ReadyField,
    layer: int,
    head: int,
    progress: Progress,
) -> AtlasView:
    """All splats of the heads chosen, each with a place and what is known of it."""
    from hsa.atlas.atlas import AtlasHead as Laid
    from hsa.atlas.atlas import gather

    size = loaded.query_heads // loaded.key_value_heads
    group = head // size
    shown = sorted({(layer, group), *choices.BESIDE.value})
    heads = tuple(
        AtlasHead(asked, loaded, ready, at, g, head if (at, g) == (layer, group) else None)
        for at, g in shown
    )
    made, missing = layouts(heads)
    known = [attributes(at, progress) for at in heads]
    places = [_keys(at, layout, progress) for at, layout in zip(heads, made, strict=True)]
    moves = _moves(made, places)
    atlas = gather(
        [
            Laid(at.layer, at.group, ready.field.heads[at.layer][at.group], layout, told)
            for at, layout, told in zip(heads, made, known, strict=True)
        ],
        moves,
    )
    words: tuple[str, ...] = ("",) * atlas.splats
    if asked is not None:
        words = tuple(
            word
            for at in heads
            for word in atlas_use.splat_words(asked, at.layer, at.group, progress)
        )
    return AtlasView(
        asked, loaded, ready, layer, group, heads, atlas, _method(made, heads, missing), words,
        _marks(heads, atlas, places, progress), tuple(missing),
        tuple(dict.fromkeys(layout.note for layout in made if layout.note)),
        ("atlas", *(at.key for at in heads), tuple(layout.method for layout in made),
         bool(missing), choices.ARRANGED.value),
    )  # fmt: skip


def _keys(at: AtlasHead, layout: Layout, progress: Progress) -> Tensor | None:
    """Where the prompt's keys stand in a head's own layout; None without a prompt."""
    from hsa.atlas.marks import key_marks

    asked = at.asked
    if asked is None:
        return None
    use = atlas_use.splat_use(asked, at.layer, at.group, progress)
    field = at.ready.field.heads[at.layer][at.group]
    key = ("key-marks", asked.loaded.fingerprint, asked.tokens.ids, *at.key[:3])
    between = engine.kept(key, "Splats in this prompt", lambda: key_marks(use.x, field))
    return between.at(layout.place)


def _moves(made: list[Layout], places: list[Tensor | None]) -> tuple[Similarity, ...]:
    from hsa.atlas.alignment import unmoved
    from hsa.atlas.atlas import laid_over, side_by_side

    known = [place for place in places if place is not None]
    if len(made) == 1 or len(known) < len(made):
        moves = tuple(unmoved() for _ in made)
        return side_by_side(moves)
    moves = laid_over(known)
    return moves if choices.ARRANGED.value == "over" else side_by_side(moves)


def _method(made: list[Layout], heads: tuple[AtlasHead, ...], missing: list[Wanted]) -> str:
    said = "UMAP" if made[0].method == "UMAP" else "principal components"
    said += " of the splats' positions in the query metric"
    if missing:
        said += "; UMAP is being laid out"
    if len(made) > 1:
        said += ", each head in its own"
        if heads[0].asked is not None:
            said += ", turned so that the prompt's tokens lie alike"
    return said


def _marks(
    heads: tuple[AtlasHead, ...], atlas: Atlas, places: list[Tensor | None], progress: Progress
) -> Marks | None:
    """Keys among the splats and queries where they look."""
    import torch

    from hsa.atlas.marks import query_marks
    from hsa.field.splat_field import PHRASE
    from pages.ui.atlas_map import Marks

    asked = heads[0].asked
    if asked is None:
        return None
    keys, queries, splats = [], [], []
    for number, (at, place) in enumerate(zip(heads, places, strict=True)):
        assert place is not None, "every head has the prompt's keys, or none has"
        use = atlas_use.splat_use(asked, at.layer, at.group, progress)
        moved = atlas.move[number](place)
        keys.append(moved)
        queries.append(query_marks(moved, use.seen, use.seen_weight))
        splats.append(use.key_row[:, PHRASE] + atlas.rows(at.layer, at.group).start)
    count, tokens = len(heads), len(asked.tokens)
    both = torch.cat([*keys, *queries]).numpy()
    none = np.full(count * tokens, -1)
    head = np.repeat(np.arange(count), tokens)
    return Marks(
        both[:, 0], both[:, 1],
        splat=np.concatenate([torch.cat(splats).numpy(), none]),
        head=np.concatenate([head, head]),
        token=np.tile(np.arange(tokens), 2 * count),
        is_query=np.repeat([0, 1], count * tokens),
    )  # fmt: skip
