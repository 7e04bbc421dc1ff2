"""`python -m hsa flow`: attention flow over the layers, from one position of a text."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hsa.commands.as_json import as_json
from hsa.commands.model import add_model, loaded_model
from hsa.errors import InputError

if TYPE_CHECKING:
    from argparse import _SubParsersAction

SHOWN = 10


@dataclass(frozen=True)
class Told:
    """What a position draws from: a row of shares, one for each token, after each depth."""

    query: int
    strings: tuple[str, ...]
    depths: tuple[int, ...]
    shares: tuple[tuple[float, ...], ...]
    caveat: str


def add(subparsers: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser(
        "flow",
        help="attention flow over layers (rollout)",
        description="The tokens that a position draws from after a quarter, a half and all of the "
        "layers: products of ½ A + ½ I, A the mean of a layer's heads.",
    )
    add_model(parser)
    parser.add_argument("--text", type=Path, required=True, metavar="FILE", help="a UTF-8 text")
    parser.add_argument("--query", type=int, help="position; the last one if left out")
    parser.add_argument("--json", action="store_true")


def run(args: argparse.Namespace) -> int:
    """Follow the attention and print."""
    told = _look(args)
    sys.stdout.write((as_json(told) if args.json else "\n".join(_show(told))) + "\n")
    return 0


def _look(args: argparse.Namespace) -> Told:
    from hsa.commands.fit import read_text
    from hsa.evaluation.rollout import CAVEAT, rollout

    text = read_text(args.text)
    loaded = loaded_model(args)
    tokens = loaded.tokenize(text)
    query = len(tokens) - 1 if args.query is None else args.query
    if not 0 <= query < len(tokens):
        raise InputError("There is no such position", got=query, needed=f"0 to {len(tokens) - 1}")
    found = rollout(loaded, tokens)
    shares = tuple(tuple(row) for row in found.flow[:, query].tolist())
    return Told(query, tokens.strings, found.depths, shares, CAVEAT)


def _show(told: Told) -> Iterator[str]:
    for depth, row in zip(told.depths, told.shares, strict=True):
        yield f"Position {told.query} {told.strings[told.query]!r} after {depth} layers:"
        for at in sorted(range(len(row)), key=lambda at: -row[at])[:SHOWN]:
            yield f"  {row[at]:>7.2%}  {at:>4} {told.strings[at]!r}"
    yield told.caveat
