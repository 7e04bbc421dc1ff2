"""A bundle as one file: a zip of a manifest, the prompt, JSON, and tensors as safetensors.

Nothing in it is ever run, unpickled or written to the disk. Names are those below and no others;
sizes are bounded before and while a part is read; every part has its sha256 in the manifest, and
the manifest one over itself.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from dataclasses import asdict
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from hsa.errors import HSAError, InputError
from hsa.field.checkpoint import description
from hsa.sharing.bundle import FIELD, Bundle, BundledField
from hsa.sharing.numbers import NUMBERS, Number
from hsa.sharing.view import view_of

KIND = "HSA Explorer bundle"
FORMAT = 1
MOST_BYTES = 20_000_000
"""Of the whole file."""

MANIFEST, PROMPT, ABOUT, RESULTS, FIELD_TEXT = (
    "manifest.json", "prompt.txt", "bundle.json", "results.safetensors", "field.json",
)  # fmt: skip
MOST = {
    MANIFEST: 100_000,
    PROMPT: 4_000_000,
    ABOUT: 1_000_000,
    RESULTS: 40_000_000,
    FIELD: 60_000_000,
    FIELD_TEXT: 1_000_000,
}
"""Bytes of each part, unpacked."""
NEEDED = frozenset({MANIFEST, PROMPT, ABOUT, RESULTS})
EPOCH = (1980, 1, 1, 0, 0, 0)
"""Every part's date, so that equal bundles are equal files."""
ASK_AGAIN = "ask for the file again, or make a new bundle"


def written(bundle: Bundle) -> bytes:
    """The bundle as a file.

    Raises:
        InputError: it would be larger than `read` takes.
    """
    about = {
        "model": bundle.model,
        "fingerprint": bundle.fingerprint,
        "field_sha256": bundle.field.checksum,
        "page": bundle.page,
        "choices": dict(bundle.choices),
        "view": asdict(bundle.view),
        "versions": dict(bundle.versions),
    }
    parts = {
        PROMPT: bundle.prompt.encode(),
        ABOUT: _json(about),
        RESULTS: save_tensors({number.name: number.values for number in bundle.numbers}),
    }
    if bundle.field.tensors is not None and bundle.field.described is not None:
        parts |= {FIELD: bundle.field.tensors, FIELD_TEXT: bundle.field.described}
    manifest = {
        "kind": KIND,
        "format": FORMAT,
        "parts": {
            name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in parts.items()
        },
    }
    manifest["sha256"] = _seal(manifest)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in ({MANIFEST: _json(manifest)} | parts).items():
            archive.writestr(zipfile.ZipInfo(name, EPOCH), content, zipfile.ZIP_DEFLATED)
    if len(packed.getvalue()) > MOST_BYTES:
        raise InputError(
            "The bundle would be too large", got=f"{len(packed.getvalue()):,} bytes",
            needed=f"at most {MOST_BYTES:,}",
            attempt="a shorter text, or the shipped field, which a bundle need not hold",
        )  # fmt: skip
    return packed.getvalue()


def read(content: bytes) -> Bundle:
    """The bundle of a file's content.

    Raises:
        InputError: too large, no bundle, of a newer program, damaged or altered; with the reason.
    """
    if len(content) > MOST_BYTES:
        raise InputError(
            "The file is too large for a bundle", got=f"{len(content):,} bytes",
            needed=f"at most {MOST_BYTES:,}",
        )  # fmt: skip
    parts = _parts(content)
    _check_manifest(parts)
    try:
        return _bundle(parts)
    except HSAError as refusal:
        raise _damaged(str(refusal)) from refusal
    except (
        ValueError, KeyError, TypeError, RuntimeError, AttributeError, SafetensorError
    ) as error:  # fmt: skip
        raise _damaged(f"a part that does not say what it should: {str(error)[:200]}") from error


def _parts(content: bytes) -> dict[str, bytes]:
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError) as error:
        raise _foreign(f"{len(content):,} bytes that are no zip file") from error
    with archive:
        entries = archive.infolist()
        names = [entry.filename for entry in entries]
        if MANIFEST not in names:
            raise _foreign("a zip file without a manifest")
        others = sorted(set(names) - set(MOST))
        if others:
            raise _foreign(f"a part named {others[0][:80]!r}")
        if len(set(names)) < len(names):
            raise _foreign("a part that stands in it twice")
        return {entry.filename: _content(archive, entry) for entry in entries}


def _content(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """One part, and never more of it than its bound, whatever the archive says of its size."""
    most = MOST[entry.filename]
    if entry.file_size > most:
        raise _too_large(entry.filename, f"{entry.file_size:,} bytes when unpacked")
    if entry.flag_bits & 1:
        raise _foreign(f"{entry.filename}, which is encrypted")
    try:
        with archive.open(entry) as part:
            content = part.read(most + 1)
    except (
        zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, OSError
    ) as error:  # fmt: skip
        raise _damaged(f"{entry.filename} does not unpack: {error}") from error
    if len(content) > most:
        raise _too_large(entry.filename, f"more than {most:,} bytes when unpacked")
    return content


def _check_manifest(parts: dict[str, bytes]) -> None:
    try:
        manifest = json.loads(parts[MANIFEST])
        kind, form, listed = manifest["kind"], manifest["format"], dict(manifest["parts"])
        sums = {name: (row["bytes"], row["sha256"]) for name, row in listed.items()}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _damaged("a manifest that cannot be read") from error
    if kind != KIND:
        raise _foreign(f"a file of kind {str(kind)[:60]!r}")
    if type(form) is not int or form > FORMAT:
        raise InputError(
            "The bundle is newer than this program", got=f"format {str(form)[:20]}",
            needed=f"format {FORMAT} or older", attempt="update HSA Explorer",
        )  # fmt: skip
    if manifest.get("sha256") != _seal(manifest):
        raise _damaged("a manifest that differs from its checksum")
    present = set(parts) - {MANIFEST}
    lacking = sorted((NEEDED - {MANIFEST} | set(sums)) - present)
    if lacking:
        raise _damaged(f"no {lacking[0][:80]}")
    if present - set(sums):
        raise _damaged(f"{min(present - set(sums))}, which the manifest does not name")
    if (FIELD in present) != (FIELD_TEXT in present):
        raise _damaged("one half of a field")
    for name in sorted(present):
        if (len(parts[name]), hashlib.sha256(parts[name]).hexdigest()) != sums[name]:
            raise _damaged(f"{name} differs from its checksum")


def _bundle(parts: dict[str, bytes]) -> Bundle:
    about = json.loads(parts[ABOUT])
    texts = {name: _text(about[name]) for name in ("model", "fingerprint", "field_sha256", "page")}
    tensors = load_tensors(parts[RESULTS])
    unknown = sorted(set(tensors) - set(NUMBERS))
    if unknown:
        raise ValueError(f"there is no number called {unknown[0][:60]!r}")
    for name, tensor in tensors.items():
        if tensor.dtype not in (torch.float64, torch.int64):
            raise ValueError(f"{name} is of type {tensor.dtype}")
    if FIELD in parts:
        inside = description(parts[FIELD_TEXT], FIELD)["sha256"]
        if inside != texts["field_sha256"]:
            raise ValueError("the field in it is not the one that it names")
    return Bundle(
        parts[PROMPT].decode(),
        texts["model"],
        texts["fingerprint"],
        BundledField(texts["field_sha256"], parts.get(FIELD), parts.get(FIELD_TEXT)),
        texts["page"],
        tuple((_text(name), _text(given, 500)) for name, given in dict(about["choices"]).items()),
        view_of(about["view"]),
        tuple((_text(name), _text(given)) for name, given in dict(about["versions"]).items()),
        tuple(Number(name, tensors[name]) for name in NUMBERS if name in tensors),
    )


def _text(given: Any, most: int = 500) -> str:
    if not isinstance(given, str) or len(given) > most:
        raise ValueError(f"{str(given)[:60]!r} is no text of at most {most} characters")
    return given


def _json(content: dict) -> bytes:
    return json.dumps(content, indent=1, allow_nan=False).encode()


def _seal(manifest: dict) -> str:
    content = {name: value for name, value in manifest.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _foreign(got: str) -> InputError:
    return InputError(
        "This is no bundle of HSA Explorer", got=got,
        needed="a file that a page's Bundle button or `python -m hsa bundle` wrote",
    )  # fmt: skip


def _damaged(got: str) -> InputError:
    return InputError(
        "The bundle is damaged or was altered", got=got, needed="the parts as they were written",
        attempt=ASK_AGAIN,
    )  # fmt: skip


def _too_large(name: str, got: str) -> InputError:
    return InputError(
        f"{name} in the bundle is too large", got=got, needed=f"at most {MOST[name]:,} bytes",
        attempt=ASK_AGAIN,
    )  # fmt: skip
