"""The atlas as the map draws it, coloured by the attribute that the visitor chose."""

from __future__ import annotations

import numpy as np

from pages.ui import engine
from pages.ui.atlas_view import AtlasView


def atlas_blob(view: AtlasView, paint: str) -> bytes:
    """The map's bytes, kept by what they show."""
    from hsa.memory.content import content_key

    # By their values: errors, ages and labels become known while the case stays the same.
    key = (*view.key, "blob", paint, content_key(view.atlas.attributes))
    return engine.kept(key, "Drawing the map", lambda: _blob(view, paint))


def _blob(view: AtlasView, paint: str) -> bytes:
    from hsa.figures.atlas_colours import stops
    from pages.ui.atlas_map import Colours, Drawing, Told, encode

    atlas = view.atlas
    told = []
    for attribute in atlas.attributes:
        if attribute.numeric:
            told.append(
                Told(attribute.title, attribute.numbers.numpy(),
                     percent=attribute.unit == "share", log=attribute.log)
            )  # fmt: skip
            continue
        names = attribute.categories()
        number = {name: at for at, name in enumerate(names)}
        values = np.array([number.get(name, np.nan) for name in attribute.names])
        told.append(Told(attribute.title, values, names=names))
    painted = atlas.attribute(paint)
    return encode(
        Drawing(
            title=view.title,
            method=view.method,
            heads=tuple(f"layer {layer}, head {group}" for layer, group in atlas.heads),
            head=atlas.head.numpy(),
            splat_id=atlas.splat_id.numpy(),
            level=atlas.level.numpy(),
            parent=atlas.parent.numpy(),
            x=atlas.place[:, 0].numpy(),
            y=atlas.place[:, 1].numpy(),
            words=view.words,
            told=tuple(told),
            colours=Colours(
                [a.name for a in atlas.attributes].index(paint),
                stops(painted),
                stops(painted, dark=True),
            ),
            marks=view.marks,
            tokens=() if view.asked is None else view.asked.tokens.strings,
        )
    )
