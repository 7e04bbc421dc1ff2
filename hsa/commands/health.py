"""`python -m hsa health`: what stands out badly in the heads of some layers."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from hsa.commands.fit import read_texts
from hsa.commands.model import add_field, add_model, chosen, field_of, loaded_model

if TYPE_CHECKING:
    from argparse import _SubParsersAction


def add(subparsers: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser(
        "health", help="what stands out badly in splats", description=__doc__
    )
    add_model(parser)
    add_field(parser)
    parser.add_argument("--texts", nargs="+", type=Path, required=True, metavar="DIR_OR_FILE")
    parser.add_argument("--tokens", type=int, default=20_000, help="read of all texts together")
    parser.add_argument("--layers", default="all", help="all, or numbers with commas between")
    parser.add_argument("--json", action="store_true", help="print every flag as JSON")


def run(args: argparse.Namespace) -> int:
    """Look over and print, the head that errs most first."""
    from hsa.specialization.diagnosis import MEANINGS
    from hsa.specialization.health import LONGEST, layer_health
    from hsa.specialization.passages import passages

    texts = [text.content for text in read_texts(args.texts)]
    loaded = loaded_model(args)
    field = field_of(args, loaded)
    corpus = passages(loaded, texts, min(LONGEST, loaded.max_tokens), args.tokens)
    found = [
        layer_health(loaded, field, corpus, layer)
        for layer in chosen(args.layers, loaded.layers, "--layers")
    ]
    if args.json:
        flags = [
            {"layer": one.layer, "key/value head": group, **asdict(flag)}
            for one in found
            for group, head in enumerate(one.heads)
            for flag in head.flags
        ]
        rows = [row for one in found for row in one.rows()]
        sys.stdout.write(json.dumps({"heads": rows, "flags": flags}) + "\n")
        return 0
    rows = sorted((row for one in found for row in one.rows()), key=lambda row: -row["error"])
    names = ["layer", "key/value head", "error", "splats", *MEANINGS]
    sys.stdout.write("  ".join(names) + "\n")
    for row in rows:
        cells = [f"{row[name]:.4f}" if name == "error" else str(row[name]) for name in names]
        sys.stdout.write(
            "  ".join(cell.rjust(len(name)) for cell, name in zip(cells, names, strict=True)) + "\n"
        )
    return 0
