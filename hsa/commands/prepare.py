"""`python -m hsa prepare`: the embedded models, ready to load."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from hsa.models.catalog import CATALOG

if TYPE_CHECKING:
    from argparse import _SubParsersAction


def add(subparsers: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser(
        "prepare", help="fetch, verify and convert the embedded models", description=__doc__
    )
    parser.add_argument(
        "models",
        nargs="*",
        metavar="MODEL",
        help=f"keys of the catalogue ({', '.join(CATALOG)}); all by default",
    )


def run(args: argparse.Namespace) -> int:
    """Prepare the models named; a second run only verifies."""
    from hsa.models.prepare import prepare

    for key, folder in prepare(args.models or tuple(CATALOG), progress=_show).items():
        sys.stdout.write(f"{key}: {folder}\n")
    return 0


def _show(sentence: str, fraction: float | None) -> None:
    share = "" if fraction is None else f"[{fraction:4.0%}] "
    sys.stderr.write(f"{share}{sentence}\n")
