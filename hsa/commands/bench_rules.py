"""`python -m hsa bench rules`: what each rule of adaptation is worth on unseen texts."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from hsa.commands.model import add_field, add_model, field_of, loaded_model

if TYPE_CHECKING:
    from argparse import _SubParsersAction


def add(subparsers: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the measurement."""
    parser = subparsers.add_parser("rules", help="adaptation with each rule switched off")
    add_model(parser)
    add_field(parser)
    for name in ("--texts", "--test"):
        parser.add_argument(name, nargs="+", type=Path, required=True, metavar="DIR_OR_FILE")
    parser.add_argument("--keep", nargs="+", type=Path, default=[], metavar="DIR_OR_FILE")
    parser.add_argument("--layers", default="2,7,12,17,22,27", help="numbers with commas between")
    parser.add_argument("--heads", default="all", help="key/value heads of each, likewise")
    parser.add_argument("--set", nargs="+", default=[], metavar="NAME=VALUE")


def run(args: argparse.Namespace) -> int:
    """Measure and print JSON."""
    from hsa.commands.adapt import settings_of, which_of
    from hsa.commands.fit import read_texts
    from hsa.evaluation.adaptation_variants import compare_variants, variants

    args.without = []
    loaded = loaded_model(args)
    field = field_of(args, loaded)

    def told(sentence: str) -> None:
        sys.stderr.write(sentence + "\n")

    found = compare_variants(
        loaded, field, read_texts(args.texts), read_texts(args.keep), read_texts(args.test),
        variants(settings_of(args)), which_of(args, field), told,
    )  # fmt: skip
    sys.stdout.write(json.dumps(asdict(found), indent=1) + "\n")
    return 0
