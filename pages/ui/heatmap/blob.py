"""The one `bytes` object that a figure sends to the browser.

    4 bytes   length of the header, little endian
    header    JSON: labels, how colours are scaled, and where each matrix lies
    body      8-bit matrices, each panel from full size to its smallest copy, as one zlib stream

Attention is mostly near nothing and half of it is masked: the quickest zlib level makes three
2,048 × 2,048 panels 3 to 12 times smaller, and every rerun hashes the blob.
"""

import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence

import numpy as np

from .panel import Panel
from .pyramid import pyramid
from .quantisation import Quantisation, ScaleName

FORMAT = 1
MOST_PANELS = 3


def encode(
    panels: Sequence[Panel],
    query_labels: Sequence[str],
    key_labels: Sequence[str],
    *,
    scale: ScaleName = "linear",
    hide_first_key: bool = False,
    shared_scale: bool = True,
    causal: bool = True,
) -> bytes:
    """Header and matrices in one immutable object, to be cached as it is.

    With `causal`, keys after the query are blank whatever the matrix says; queries are taken
    to be the last of the keys when there are fewer of them. With `hide_first_key`, the first
    key is blank and colours are scaled to the others. With `shared_scale`, sequential panels
    have one maximum, so that their colours compare.
    """
    shape = (len(query_labels), len(key_labels))
    if not 1 <= len(panels) <= MOST_PANELS:
        raise ValueError(f"a figure has 1 to {MOST_PANELS} panels, got {len(panels)}")
    for panel in panels:
        if panel.values.shape != shape:
            raise ValueError(
                f"panel {panel.title!r} has shape {panel.values.shape}, "
                f"but there are {shape[0]} query and {shape[1]} key labels"
            )

    shown = [_shown(panel.values, causal=causal, hide_first_key=hide_first_key) for panel in panels]
    largest = [_largest(values) for values in shown]
    sequential = [m for m, panel in zip(largest, panels, strict=True) if panel.kind == "sequential"]
    shares = shared_scale and len(sequential) > 1
    if shares:
        largest = [
            max(sequential) if panel.kind == "sequential" else m
            for m, panel in zip(largest, panels, strict=True)
        ]

    body: list[bytes] = []
    offset = 0
    described = []
    for panel, values, most in zip(panels, shown, largest, strict=True):
        quantisation = Quantisation(panel.kind, scale, most)
        levels = []
        for codes in pyramid(quantisation.codes(values), panel.kind):
            levels.append({"rows": codes.shape[0], "columns": codes.shape[1], "offset": offset})
            body.append(codes.tobytes())
            offset += codes.size
        described.append(
            {
                "title": panel.title,
                "unit": panel.unit,
                "note": panel.note,
                "goes_below_zero": panel.kind == "sequential" and bool((values < 0).any()),
                "levels": levels,
            }
            | quantisation.header()
        )

    header = {
        "format": FORMAT,
        "queries": list(query_labels),
        "keys": list(key_labels),
        "causal": causal,
        "hide_first_key": hide_first_key,
        "scaling": _scaling(panels, scale, shares=shares, hide_first_key=hide_first_key),
        "panels": described,
    }
    digest = hashlib.blake2b(_ascii(header), digest_size=16)
    for matrix in body:
        digest.update(matrix)
    text = _ascii(header | {"digest": digest.hexdigest()})
    return len(text).to_bytes(4, "little") + text + zlib.compress(b"".join(body), level=1)


def decode(blob: bytes) -> tuple[dict, list[list[np.ndarray]]]:
    """The header, and for each panel its levels; what the browser does, for the tests."""
    end = 4 + int.from_bytes(blob[:4], "little")
    header = json.loads(blob[4:end])
    body = np.frombuffer(zlib.decompress(blob[end:]), dtype=np.uint8)
    panels = []
    for panel in header["panels"]:
        levels = []
        for level in panel["levels"]:
            rows, columns, offset = level["rows"], level["columns"], level["offset"]
            levels.append(body[offset : offset + rows * columns].reshape(rows, columns))
        panels.append(levels)
    return header, panels


def _ascii(header: Mapping[str, object]) -> bytes:
    """JSON in ASCII escapes: tokens may hold lone surrogates and NUL, which UTF-8 may not."""
    return json.dumps(header, ensure_ascii=True, allow_nan=False).encode("ascii")


def _shown(values: np.ndarray, *, causal: bool, hide_first_key: bool) -> np.ndarray:
    shown = values.astype(np.float32)
    if causal:
        queries, keys = shown.shape
        shown[np.triu(np.ones(shown.shape, dtype=bool), k=keys - queries + 1)] = np.nan
    if hide_first_key:
        shown[:, 0] = np.nan
    return shown


def _largest(values: np.ndarray) -> float:
    return float(np.fmax.reduce(np.abs(values), axis=None, initial=np.float32(0)))


def _scaling(
    panels: Sequence[Panel], scale: ScaleName, *, shares: bool, hide_first_key: bool
) -> str:
    """How colours came about, in the words that the figure shows."""
    words = {
        "linear": "linear colour scale",
        "gamma": "square-root colour scale (gamma ½)",
        "log": "log colour scale (four decades)",
    }
    parts = [words[scale]]
    if shares:
        parts.append("weights share one scale")
    if any(panel.kind == "diverging" for panel in panels):
        parts.append("differences symmetric about zero")
    if hide_first_key:
        parts.append("first token hidden; colours rescaled")
    return " · ".join(parts)
