"""The one `bytes` object that a player sends to the browser.

    4 bytes   length of the header, little endian
    header    JSON: names, ids, ranges of what is quantised, and where each array lies
    body      arrays (see packing.py), as one zlib stream

Numbers of events and curves stay 32-bit floats: they are read, not only seen, and may be NaN
where nothing was measured, which JSON may not.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from .packing import pack, unpack
from .quantisation import log_range_of, place_codes, places, range_of, share_codes, shares
from .soundness import check

if TYPE_CHECKING:
    from hsa.adaptation.recording import Happening, Recording

FORMAT = 1


def encode(recording: Recording) -> bytes:
    """Header and arrays in one immutable object, to be cached as it is.

    Events are put in the order of their steps; those of one step keep theirs.

    Raises:
        ValueError: for a recording that cannot be drawn.
    """
    check(recording)
    happenings = sorted(recording.happenings, key=lambda happening: happening.step)
    kinds = sorted({happening.kind for happening in happenings})
    x, y = recording.frame_x.numpy(), recording.frame_y.numpy()
    share = recording.frame_share.numpy()
    ranges = {"x": range_of(x), "y": range_of(y), "log_share": log_range_of(share)}
    arrays = {
        "level": recording.level.numpy().astype(np.uint8),
        "born": recording.born.numpy().astype(np.int32),
        "died": recording.died.numpy().astype(np.int32),
        "frame_splat": recording.frame_splat.numpy().astype(np.int32),
        "frame_step": recording.frame_step.numpy().astype(np.int32),
        "frame_x": place_codes(x, ranges["x"]),
        "frame_y": place_codes(y, ranges["y"]),
        "frame_share": share_codes(share, ranges["log_share"]),
        "frame_parent": recording.frame_parent.numpy().astype(np.int32),
        **_of_happenings(happenings, kinds),
        "curves": np.array([c.values.tolist() for c in recording.curves], np.float32).ravel(),
    }
    described, body = pack(arrays)
    header = {
        "format": FORMAT,
        "title": recording.title,
        "steps": list(recording.step_names),
        "splat_id": recording.splat_id.tolist(),
        "kinds": kinds,
        "curves": [
            {"name": curve.name, "panel": curve.panel, "unit": curve.unit}
            for curve in recording.curves
        ],
        "ranges": ranges,
        "arrays": described,
    }
    digest = hashlib.blake2b(_ascii(header), digest_size=16)
    digest.update(body)
    text = _ascii(header | {"digest": digest.hexdigest()})
    return len(text).to_bytes(4, "little") + text + zlib.compress(body)


def header_of(blob: bytes) -> dict:
    """Names, ids and ranges, without unpacking what follows."""
    return json.loads(blob[4 : 4 + int.from_bytes(blob[:4], "little")])


def decode(blob: bytes) -> Recording:
    """The recording, to 16 bits where it was quantised; what the browser does, for the tests."""
    import torch

    from hsa.adaptation.recording import Curve, Happening, Recording

    header = header_of(blob)
    body = zlib.decompress(blob[4 + int.from_bytes(blob[:4], "little") :])
    arrays = unpack(header["arrays"], body)
    steps, ranges = len(header["steps"]), header["ranges"]
    curves = arrays["curves"].reshape(-1, steps)

    def whole(name: str) -> torch.Tensor:
        return torch.from_numpy(arrays[name].astype(np.int64))

    def some(name: str, at: int) -> tuple[int, ...]:
        start = arrays[f"{name}_start"]
        return tuple(arrays[name][start[at] : start[at + 1]].tolist())

    return Recording(
        title=header["title"],
        step_names=tuple(header["steps"]),
        splat_id=torch.tensor(header["splat_id"]),
        level=whole("level"),
        born=whole("born"),
        died=whole("died"),
        frame_splat=whole("frame_splat"),
        frame_step=whole("frame_step"),
        frame_x=torch.from_numpy(places(arrays["frame_x"], ranges["x"])),
        frame_y=torch.from_numpy(places(arrays["frame_y"], ranges["y"])),
        frame_share=torch.from_numpy(shares(arrays["frame_share"], ranges["log_share"])),
        frame_parent=whole("frame_parent"),
        happenings=tuple(
            Happening(
                step=int(arrays["event_step"][at]),
                kind=header["kinds"][arrays["event_kind"][at]],
                level=int(arrays["event_level"][at]),
                before=some("before", at),
                after=some("after", at),
                accepted=bool(arrays["accepted"][at]),
                evidence=float(arrays["evidence"][at]),
                threshold=float(arrays["threshold"][at]),
                error_before=float(arrays["error_before"][at]),
                error_after=float(arrays["error_after"][at]),
            )
            for at in range(len(arrays["event_step"]))
        ),
        curves=tuple(
            Curve(values=torch.tensor(values), **named)
            for named, values in zip(header["curves"], curves.tolist(), strict=True)
        ),
    )


def _of_happenings(happenings: Sequence[Happening], kinds: Sequence[str]) -> dict[str, np.ndarray]:
    """One array a field; ids of all events in one row, and where those of each begin."""
    arrays = {
        "event_step": np.array([h.step for h in happenings], np.int32),
        "event_kind": np.array([kinds.index(h.kind) for h in happenings], np.uint8),
        "event_level": np.array([h.level for h in happenings], np.uint8),
        "accepted": np.array([h.accepted for h in happenings], np.uint8),
    }
    for name in ("evidence", "threshold", "error_before", "error_after"):
        arrays[name] = np.array([getattr(h, name) for h in happenings], np.float32)
    for name in ("before", "after"):
        ids = [getattr(h, name) for h in happenings]
        arrays[name] = np.array([splat for some in ids for splat in some], np.int32)
        arrays[f"{name}_start"] = np.cumsum([0, *map(len, ids)]).astype(np.int32)
    return arrays


def _ascii(header: Mapping[str, object]) -> bytes:
    """JSON in ASCII escapes: names may hold lone surrogates and NUL, which UTF-8 may not."""
    return json.dumps(header, ensure_ascii=True, allow_nan=False).encode("ascii")
