"""The one `bytes` object that the map sends to the browser.

4 bytes   length of the header, little endian
header    JSON: names, tokens, colours, and where each array lies
body      arrays (see ../player/packing.py), as one zlib stream

Values stay 32-bit floats: they are read, not only seen, and may be NaN, which JSON may not.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping

import numpy as np

from pages.ui.player.packing import pack, unpack

from .drawing import Drawing

FORMAT = 1


def encode(drawing: Drawing) -> bytes:
    """Header and arrays in one immutable object, to be cached as it is."""
    arrays = {
        "head": drawing.head.astype(np.uint8),
        "splat_id": drawing.splat_id.astype(np.int32),
        "level": drawing.level.astype(np.uint8),
        "parent": drawing.parent.astype(np.int32),
        "x": drawing.x.astype(np.float32),
        "y": drawing.y.astype(np.float32),
        "values": np.concatenate([told.values.astype(np.float32) for told in drawing.told]),
    }
    marks = drawing.marks
    if marks is not None:
        arrays |= {
            "mark_x": marks.x.astype(np.float32),
            "mark_y": marks.y.astype(np.float32),
            "mark_splat": marks.splat.astype(np.int32),
            "mark_head": marks.head.astype(np.uint8),
            "mark_token": marks.token.astype(np.int32),
            "mark_is_query": marks.is_query.astype(np.uint8),
        }
    described, body = pack(arrays)
    header = {
        "format": FORMAT,
        "title": drawing.title,
        "method": drawing.method,
        "heads": list(drawing.heads),
        "words": list(drawing.words),
        "tokens": list(drawing.tokens),
        "told": [
            {"title": told.title, "names": list(told.names), "percent": told.percent,
             "log": told.log}
            for told in drawing.told
        ],
        "colours": {
            "told": drawing.colours.told,
            "light": list(drawing.colours.stops),
            "dark": list(drawing.colours.dark_stops),
        },
        "arrays": described,
    }  # fmt: skip
    # Rows mean the same splats in every map of the same heads, however these are laid out.
    splats = hashlib.blake2b(digest_size=16)
    for name in ("head", "splat_id", "level", "parent"):
        splats.update(arrays[name].tobytes())
    splats.update("\n".join(drawing.heads).encode("utf-8", "replace"))
    digest = hashlib.blake2b(_ascii(header), digest_size=16)
    digest.update(body)
    text = _ascii(header | {"digest": digest.hexdigest(), "splats": splats.hexdigest()})
    return len(text).to_bytes(4, "little") + text + zlib.compress(body)


def header_of(blob: bytes) -> dict:
    """Names, tokens and colours, without unpacking what follows."""
    return json.loads(blob[4 : 4 + int.from_bytes(blob[:4], "little")])


def decode(blob: bytes) -> tuple[dict, dict[str, np.ndarray]]:
    """The header and the arrays; what the browser does, for the tests."""
    header = header_of(blob)
    body = zlib.decompress(blob[4 + int.from_bytes(blob[:4], "little") :])
    return header, unpack(header["arrays"], body)


def _ascii(header: Mapping[str, object]) -> bytes:
    """JSON in ASCII escapes: tokens may hold lone surrogates and NUL, which UTF-8 may not."""
    return json.dumps(header, ensure_ascii=True, allow_nan=False).encode("ascii")
