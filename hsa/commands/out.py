"""The file that a command writes a field to."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from hsa.errors import InputError

HELP = "file ending in .safetensors; what describes the field goes beside it, ending in .json"


def add_out(parser: argparse.ArgumentParser) -> None:
    """Declare `--out`."""
    parser.add_argument("--out", type=Path, required=True, help=HELP)


def check_out(out: Path) -> None:
    """Refuse a file for a field that does not say what it is, and one whose description would
    take the place of what the command prints.
    """
    if out.suffix != ".safetensors":
        raise InputError(
            "--out was not understood", got=out.name, needed="a name ending in .safetensors",
            attempt=f"{out.stem}.safetensors",
        )  # fmt: skip
    beside = out.with_suffix(".json")
    if beside.exists() and os.path.samestat(os.fstat(1), beside.stat()):
        raise InputError(
            "What is printed would be lost", got=f"standard output in {beside.name}, which "
            "describes the field",
            needed="another file", attempt=f"> {out.stem}-printed.json",
        )  # fmt: skip
