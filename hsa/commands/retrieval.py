"""`python -m hsa retrieval`: which needles are found outside of the window, method by method."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from hsa.commands.fit import read_text
from hsa.commands.model import add_field, add_model, field_of, loaded_model
from hsa.commands.opening import add_opening
from hsa.errors import InputError

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from hsa.evaluation.retrieval import Rate, Retrieval


def add(subparsers: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser("retrieval", help="needles found outside of the window")
    add_model(parser, device=True)
    parser.add_argument("--tokens", default="2048,4096", help="lengths, commas between")
    parser.add_argument("--needles", type=int, default=100, help="needles at every length")
    parser.add_argument("--per-haystack", type=int, default=10, help="needles in one haystack")
    parser.add_argument("--reads", type=int,
                        help="everything the last query reads (410 at 4096)")  # fmt: skip
    parser.add_argument("--text", type=Path, help="hide them in this text, in place of noise")
    add_opening(parser)
    parser.add_argument("--seed", type=int, default=0)
    add_field(parser)
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")


def run(args: argparse.Namespace) -> int:
    """Measure and print; progress goes to standard error."""
    from hsa.attention.spending import sensible_everything
    from hsa.evaluation.needles import NOISE, sentences_of
    from hsa.evaluation.retrieval import retrieval

    lengths = _lengths(args.tokens)
    sentences = NOISE if args.text is None else sentences_of(read_text(args.text))
    loaded = loaded_model(args)
    field = field_of(args, loaded)
    results = [
        retrieval(
            loaded, field, tokens, sensible_everything(tokens) if args.reads is None
            else args.reads, args.needles, args.per_haystack, args.opening, args.seed, sentences,
            lambda line: print(line, file=sys.stderr, flush=True),
        )
        for tokens in lengths
    ]  # fmt: skip
    if args.json:
        noise = "noise" if args.text is None else args.text.name
        shown = {"model": loaded.name, "haystack": noise, "opening": args.opening,
                 "seed": args.seed, "rows": [_row(result) for result in results]}  # fmt: skip
        sys.stdout.write(json.dumps(shown, indent=1) + "\n")
        return 0
    for result in results:
        _table(result)
    return 0


def _lengths(given: str) -> list[int]:
    try:
        return [int(part) for part in given.split(",")]
    except ValueError as error:
        raise InputError("--tokens was not understood", got=given,
                         needed="numbers with commas between") from error  # fmt: skip


def _row(result: Retrieval) -> dict[str, object]:
    return {
        "tokens": result.tokens,
        "reads": result.reads,
        "needles": len(result.depth),
        "needles_at_counted_depths": int(result.counted().sum()),
        "haystacks": result.haystacks,
        "nearest_keys": int(result.distance.min()),
        "methods": {
            name: {
                "rate": _rate(result.rate(name)),
                "of_what_standard_finds": _rate(result.kept(name)),
                "reads": found.reads,
                "fallbacks": found.fallbacks,
            }
            for name, found in result.methods.items()
        },
        "depths": [
            {
                "from": float(result.depth[part].min()),
                "to": float(result.depth[part].max()),
                **{name: _rate(result.rate(name, part)) for name in result.methods},
            }
            for part in result.bins()
            if part.any()
        ],
    }


def _rate(rate: Rate) -> dict[str, object]:
    low, high = rate.interval
    return {"found": rate.found, "asked": rate.asked, "low": low, "high": high}


def _table(result: Retrieval) -> None:
    counted = int(result.counted().sum())
    print(
        f"{result.tokens} tokens, {len(result.depth)} needles in {result.haystacks} haystacks, "
        f"{int(result.distance.min())} keys and more before their questions; the last query "
        f"reads up to {result.reads}\n"
        f"{counted} needles at depths where standard attention finds half and more "
        "(95 % intervals)"
    )
    print(f"{'':<12}{'found':>8}{'rate':>22}{'of what standard finds':>28}{'reads':>8}")
    for name, found in result.methods.items():
        rate, kept = result.rate(name), result.kept(name)
        print(f"{name:<12}{f'{rate.found}/{rate.asked}':>8}{_told(rate):>22}"
              f"{_told(kept):>28}{found.reads:8.0f}")  # fmt: skip
        if found.fallbacks:
            print(f"  {found.fallbacks} fallbacks to standard attention")
    print("depth          " + "".join(f"{name:>12}" for name in result.methods))
    for part in result.bins():
        if part.any():
            span = f"{float(result.depth[part].min()):.0%} to {float(result.depth[part].max()):.0%}"
            rates = (result.rate(name, part) for name in result.methods)
            print(f"{span:<15}" + "".join(f"{f'{r.found}/{r.asked}':>12}" for r in rates))


def _told(rate: Rate) -> str:
    if not rate.asked:
        return "none asked"
    low, high = rate.interval
    return f"{rate.share:.0%} ({low:.0%} to {high:.0%})"
