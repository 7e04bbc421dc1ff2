"""`python -m hsa bench waits`: what a visitor waits for, measured."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from hsa.commands.model import add_field, add_model, field_of, loaded_model

if TYPE_CHECKING:
    from argparse import _SubParsersAction


def add(subparsers: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the measurement."""
    parser = subparsers.add_parser("waits", help="what a visitor waits for, in seconds")
    add_model(parser)
    parser.add_argument("--text", type=Path, required=True, help="a UTF-8 text")
    add_field(parser)
    parser.add_argument("--runs", type=int, default=3, help="counted runs, after one warm-up")
    parser.add_argument("--json", action="store_true")


def run(args: argparse.Namespace) -> int:
    """Measure and print."""
    from dataclasses import asdict

    from hsa.commands.fit import read_text
    from hsa.evaluation.waits import machine, waits

    loaded = loaded_model(args)
    field = field_of(args, loaded)
    found = waits(loaded, field, loaded.tokenize(read_text(args.text)), max(1, args.runs))
    if args.json:
        sys.stdout.write(
            json.dumps({"machine": machine(), "rows": [asdict(row) for row in found]}, indent=1)
        )
        return 0
    sys.stdout.write(f"{loaded.title} on {machine()}; median (least to most) seconds\n")
    for row in found:
        wanted = "" if row.wanted_seconds is None else f"  wanted {row.wanted_seconds:g}"
        sys.stdout.write(
            f"{row.tokens:>6} tokens  {row.what:<50}{row.median_seconds:8.3f} "
            f"({row.least_seconds:.3f} to {row.most_seconds:.3f}){wanted}\n"
        )
    return 0
