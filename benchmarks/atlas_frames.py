"""Frames a second that the atlas's map draws while it is dragged, in a headless Chromium.

    python benchmarks/atlas_frames.py [SPLATS] [--keys KEYS]

Random splats with links to their parents and a prompt's keys over them, zoomed in twice; no GPU.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
from pathlib import Path

import numpy as np

from pages.ui.atlas_map import Colours, Drawing, Marks, Told, encode, standalone_html

SECONDS = 4.0
# A move of the pointer in every frame, so that every frame must be drawn anew. Pointers that a
# script makes up cannot be captured.
DRAG = """
(seconds) => new Promise((done) => {
  const stage = document.querySelector(".touch"), box = stage.getBoundingClientRect(), frames = [];
  stage.setPointerCapture = () => {};
  const tell = (kind, step) => stage.dispatchEvent(new PointerEvent(kind, {
    pointerId: 7, button: 0, bubbles: true,
    clientX: box.x + box.width / 2 + 120 * Math.sin(step / 15),
    clientY: box.y + box.height / 2 + 90 * Math.sin(step / 11),
  }));
  tell("pointerdown", 0);
  const look = (now) => {
    frames.push(now);
    if (now - frames[0] > 1000 * seconds) {
      tell("pointerup", 0);
      return done(frames);
    }
    tell("pointermove", frames.length);
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})
"""


def drawing(splats: int, keys: int, heads: int = 7) -> Drawing:
    """Splats of several heads in the proportions of the shipped fields."""
    dice = np.random.default_rng(0)
    level = np.sort(dice.choice(3, splats, p=[0.012, 0.09, 0.898]))
    head = dice.integers(0, heads, splats)
    place = dice.normal(size=(splats, 2)) + np.stack([4.5 * (head % 4), -4.5 * (head // 4)], axis=1)
    parent = np.full(splats, -1)
    for at in (1, 2):
        for own in range(heads):
            above = np.flatnonzero((level == at - 1) & (head == own))
            below = (level == at) & (head == own)
            parent[below] = dice.choice(above, below.sum())
    near = dice.integers(0, splats, keys)
    marks = place[near] + 0.1 * dice.normal(size=(keys, 2))
    return Drawing(
        title=f"{splats:,} random splats",
        method="random places",
        heads=tuple(f"head {at}" for at in range(heads)),
        head=head,
        splat_id=np.arange(splats),
        level=level,
        parent=parent,
        x=place[:, 0],
        y=place[:, 1],
        words=[""] * splats,
        told=(Told("Mass", dice.lognormal(size=splats), log=True),),
        colours=Colours(0, ("#440154", "#21918c", "#fde725"), ("#440154", "#21918c", "#fde725")),
        marks=Marks(
            marks[:, 0], marks[:, 1], near, head[near], np.arange(keys), np.zeros(keys, bool)
        ),
        tokens=["token"] * keys,
    )


def main() -> None:
    """Open the map from a file, drag it for some seconds, and count."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("splats", type=int, nargs="?", default=5000)
    parser.add_argument("--keys", type=int, default=500)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        page_file = Path(folder) / "atlas.html"
        blob = encode(drawing(asked.splats, asked.keys))
        page_file.write_text(standalone_html(blob, "Atlas"), "utf-8")
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = chromium.new_page(viewport={"width": 1400, "height": 900})
        page.goto(page_file.as_uri())
        page.locator('.atlas[data-ready="true"]').wait_for()
        for zoom in ("whole", "zoomed"):
            if zoom == "zoomed":
                page.get_by_role("button", name="Zoom in").click()
                page.get_by_role("button", name="Zoom in").click()
            report(zoom, page, asked.splats)
        chromium.close()


def report(zoom: str, page, splats: int) -> None:
    """Drag to and fro, and print how long a frame took."""
    between = sorted(np.diff(page.evaluate(DRAG, SECONDS)))
    print(
        f"{splats:,} splats, {zoom}: {1000 / statistics.mean(between):.0f} frames a second, "
        f"median {statistics.median(between):.1f} ms, 95th percentile "
        f"{between[int(0.95 * len(between))]:.1f} ms"
    )


if __name__ == "__main__":
    main()
