"""`python -m hsa prepare`: the embedded models and the parser, ready to load."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from hsa.errors import ModelError
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
    if not args.models:
        _prepare_parser()
    return 0


def _prepare_parser() -> None:
    """The parser too; without it all but the parsed functions of splats keeps working."""
    from hsa.specialization.pipeline import pipeline_folder

    try:
        sys.stdout.write(f"parser: {pipeline_folder(_show)}\n")
    except ModelError as refusal:
        sys.stderr.write(f"No parser: {refusal}\n")


def _show(sentence: str, fraction: float | None) -> None:
    share = "" if fraction is None else f"[{fraction:4.0%}] "
    sys.stderr.write(f"{share}{sentence}\n")
