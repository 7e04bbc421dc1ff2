"""A bundle in and out of its file, and every way in which a file is refused."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import struct
import zipfile
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from hsa.errors import InputError
from hsa.sharing import bundle_file
from hsa.sharing.bundle import FIELD, Bundle, BundledField
from hsa.sharing.bundle_file import FIELD_TEXT, MANIFEST, MOST, RESULTS, read, written
from hsa.sharing.numbers import Number
from hsa.sharing.view import View

PROMPT = "مرحبا 👩‍🚀 <script>x</script>\r\n\tthe end "


@pytest.fixture
def bundle() -> Bundle:
    return Bundle(
        PROMPT, "minilm", "f" * 64, BundledField("a" * 64), "compare",
        (("model", "minilm"), ("cell", "3,2")), View(1, 2, 8, "uniform", "query", 0, 5, 3, 2),
        (("hsa", "0.1.0"),),
        (Number("tokens", torch.arange(5)), Number("weight", torch.tensor(0.25).double()),
         Number("hsa_row", torch.rand(5, dtype=torch.float64))),
    )  # fmt: skip


def parts_of(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(parts: dict[str, bytes], *, sealed: bool = False) -> bytes:
    """The parts as a zip; sealed anew as somebody would who knows how, or as they are."""
    if sealed:
        manifest = json.loads(parts[MANIFEST])
        manifest["parts"] = {
            name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in parts.items()
            if name != MANIFEST
        }
        manifest["sha256"] = bundle_file._seal(manifest)
        parts = parts | {MANIFEST: json.dumps(manifest).encode()}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return packed.getvalue()


def changed(bundle: Bundle, change: Callable[[dict], None], part: str = MANIFEST) -> bytes:
    """A JSON part changed by someone who seals the file again."""
    parts = parts_of(written(bundle))
    content = json.loads(parts[part])
    change(content)
    if part == MANIFEST:
        content["sha256"] = bundle_file._seal(content)
    return zipped(parts | {part: json.dumps(content).encode()}, sealed=part != MANIFEST)


def test_in_and_out(bundle: Bundle) -> None:
    found = read(written(bundle))
    assert replace(found, numbers=()) == replace(bundle, numbers=())
    assert [n.name for n in found.numbers] == ["tokens", "hsa_row", "weight"], "in their own order"
    for number in bundle.numbers:
        (other,) = (n.values for n in found.numbers if n.name == number.name)
        assert torch.equal(other, number.values) and other.dtype == number.values.dtype
    assert written(bundle) == written(bundle), "equal bundles are equal files"


@pytest.mark.parametrize("part", ["prompt.txt", "bundle.json", RESULTS])
@pytest.mark.parametrize("place", [0.0, 0.5, 0.999])
def test_a_flipped_byte_is_named(bundle: Bundle, part: str, place: float) -> None:
    parts = parts_of(written(bundle))
    content = bytearray(parts[part])
    content[int(place * len(content))] ^= 1
    with pytest.raises(InputError, match=f"{part} differs from its checksum"):
        read(zipped(parts | {part: bytes(content)}))


def test_a_flipped_byte_of_the_manifest_or_the_zip_is_refused(bundle: Bundle) -> None:
    whole = written(bundle)
    manifest = bytearray(parts_of(whole)[MANIFEST])
    for at in range(0, len(manifest), 7):
        altered = manifest.copy()
        altered[at] ^= 1
        with pytest.raises(InputError):
            read(zipped(parts_of(whole) | {MANIFEST: bytes(altered)}))
    refused = 0
    for at in range(0, len(whole), 5):
        altered = bytearray(whole)
        altered[at] ^= 16
        try:
            found = read(bytes(altered))
        except InputError:
            refused += 1
        else:  # dates and attributes of a zip say nothing
            assert found.prompt == bundle.prompt and found.view == bundle.view
    assert refused > 50
    for end in (0, 10, len(whole) // 2, len(whole) - 1):
        with pytest.raises(InputError, match="no bundle"):
            read(whole[:end])


@pytest.mark.parametrize(
    "name", ["../evil.json", "/etc/passwd", "..\\evil", "C:\\x", "a/../../b", "run.py", "x.pkl"]
)
def test_other_names_are_refused(bundle: Bundle, name: str) -> None:
    with pytest.raises(InputError, match=r"no bundle of HSA Explorer.*a part named"):
        read(zipped(parts_of(written(bundle)) | {name: b"x"}, sealed=True))


def test_a_part_that_unpacks_to_much_is_refused(bundle: Bundle) -> None:
    parts = parts_of(written(bundle))
    bomb = zipped(parts | {"prompt.txt": bytes(MOST["prompt.txt"] + 1)}, sealed=True)
    assert len(bomb) < 20_000
    with pytest.raises(InputError, match=r"prompt\.txt in the bundle is too large"):
        read(bomb)
    # The same with headers that say it is small.
    size = struct.pack("<I", MOST["prompt.txt"] + 1)
    assert bomb.count(size) >= 1
    with pytest.raises(InputError):
        read(bomb.replace(size, struct.pack("<I", 40)))
    with pytest.raises(InputError, match="too large for a bundle"):
        read(bytes(bundle_file.MOST_BYTES + 1))


def test_a_pickle_is_not_run(bundle: Bundle) -> None:
    class Runs:
        def __reduce__(self) -> tuple:
            return pytest.fail, ("it was run",)

    parts = parts_of(written(bundle))
    for part in (RESULTS, "bundle.json", MANIFEST):
        with pytest.raises(InputError):
            read(zipped(parts | {part: pickle.dumps(Runs())}, sealed=part != MANIFEST))


def test_twice_the_same_part_and_other_zips_are_foreign(bundle: Bundle) -> None:
    packed = io.BytesIO(written(bundle))
    with (
        pytest.warns(UserWarning, match="Duplicate"),
        zipfile.ZipFile(packed, "a") as archive,
    ):
        archive.writestr(MANIFEST, b"{}")
    with pytest.raises(InputError, match="stands in it twice"):
        read(packed.getvalue())
    with pytest.raises(InputError, match="without a manifest"):
        read(zipped({"word/document.xml": b"<x/>"}))
    with pytest.raises(InputError, match="no zip file"):
        read(b"GIF89a")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: m.update(format=2), "newer than this program.*format 2"),
        (lambda m: m.update(format="x"), "newer than this program"),
        (lambda m: m.update(kind="recipe"), "of kind 'recipe'"),
        (lambda m: m["parts"].pop(RESULTS), "which the manifest does not name"),
        (lambda m: m["parts"].update({"more.json": {"bytes": 1, "sha256": ""}}), "no more.json"),
        (lambda m: m.update(parts=3), "a manifest that cannot be read"),
    ],
)
def test_manifests_are_refused(bundle: Bundle, change: Callable[[dict], None], said: str) -> None:
    with pytest.raises(InputError, match=said):
        read(changed(bundle, change))


@pytest.mark.parametrize(
    "change",
    [
        lambda about: about.pop("model"),
        lambda about: about.update(model=3),
        lambda about: about.update(page="x" * 600),
        lambda about: about.update(choices=[1, 2]),
        lambda about: about["view"].update(layer=-1),
        lambda about: about["view"].update(query=True),
        lambda about: about["view"].update(key=None),
        lambda about: about["view"].update(way="__import__('os')"),
        lambda about: about["view"].update(shown=10**9),
        lambda about: about["view"].update(more=1),
        lambda about: about.update(view=[]),
    ],
)
def test_descriptions_are_refused(bundle: Bundle, change: Callable[[dict], None]) -> None:
    with pytest.raises(InputError, match="damaged or was altered"):
        read(changed(bundle, change, "bundle.json"))


def test_unknown_numbers_and_half_a_field_are_refused(bundle: Bundle) -> None:
    strange = replace(bundle, numbers=(Number("beauty", torch.ones(1).double()),))
    with pytest.raises(InputError, match="no number called 'beauty'"):
        read(written(strange))
    halves = replace(bundle, numbers=(Number("weight", torch.ones(1).half()),))
    with pytest.raises(InputError, match=r"of type torch\.float16"):
        read(written(halves))
    parts = parts_of(written(bundle))
    with pytest.raises(InputError, match="one half of a field"):
        read(zipped(parts | {FIELD: b"x"}, sealed=True))
    with pytest.raises(InputError, match="damaged or was altered"):
        read(zipped(parts | {FIELD: b"x", FIELD_TEXT: b"{}"}, sealed=True))


def test_what_would_be_too_large_is_not_written(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle_file, "MOST_BYTES", 500)
    with pytest.raises(InputError, match="would be too large"):
        written(bundle)
