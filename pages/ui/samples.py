"""The sample prompts, each chosen for something that it lets one see."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "assets" / "prompts"


@dataclass(frozen=True)
class Sample:
    """A text in assets/prompts, by the name of its file.

    Attributes:
        shows: what to look for in it.
    """

    name: str
    title: str
    shows: str


SAMPLES: dict[str, Sample] = {
    sample.name: sample
    for sample in (
        Sample("fact", "Fact", "one sentence: the smallest case in which splats close"),
        Sample("repeat", "Repetition", "induction heads look back at what came next"),
        Sample("code", "Code", "brackets and names attend to their like"),
        Sample("dialogue", "Dialogue", "who speaks, and who is spoken of"),
        Sample("languages", "Languages", "emoji, right-to-left and words in pieces"),
        Sample("moby-short", "Moby-Dick, a page", "about 450 tokens"),
        Sample("moby-long", "Moby-Dick, a chapter", "about 2,000 tokens: where reads are saved"),
    )
}


@cache
def sample_text(name: str) -> str:
    """The text of a sample."""
    return (FOLDER / f"{SAMPLES[name].name}.txt").read_text("utf-8").strip("\n")
