"""`python -m hsa bench adaptation`: what adapting costs beside the model's own forward passes."""

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

    from hsa.fitting.settings import Text


def add(subparsers: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the measurement."""
    parser = subparsers.add_parser("adaptation", help="adapting beside forward passes")
    add_model(parser)
    add_field(parser)
    parser.add_argument("--texts", nargs="+", type=Path, required=True, metavar="DIR_OR_FILE")
    parser.add_argument("--count", type=int, default=40, help="texts of 1,000 tokens cut of them")
    parser.add_argument("--layers", default="5,15,25", help="numbers with commas between")
    parser.add_argument("--set", nargs="+", default=[], metavar="NAME=VALUE")
    parser.add_argument("--without", nargs="+", default=[], metavar="RULE")
    parser.add_argument("--test", nargs="+", type=Path, default=[], metavar="DIR_OR_FILE",
                        help="unseen texts, cut as long as those read")  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Measure and print JSON."""
    from hsa.commands.adapt import of_gains, settings_of, which_of
    from hsa.commands.fit import read_texts
    from hsa.evaluation.adaptation_cost import adaptation_cost
    from hsa.evaluation.adapted import gains

    args.set = ["tokens_per_text=1000", *args.set]
    args.heads = "all"
    loaded = loaded_model(args)
    field = field_of(args, loaded)
    which = which_of(args, field)
    settings = settings_of(args)
    cost, adapted = adaptation_cost(loaded, field, _cut(args), settings, which)
    result = asdict(cost) | {"share": cost.share}
    if (held := adapted.on_held()) is not None:
        result |= {"held_before": held[0], "held_after": held[1]}
    if args.test:
        layers, tests = sorted(which.groups), read_texts(args.test)
        after, most = adapted.adapted(), settings.tokens_per_text
        result |= of_gains(gains(loaded, field, after, tests, layers, True, most=most))
    sys.stdout.write(json.dumps(result, indent=1) + "\n")
    return 0


def _cut(args: argparse.Namespace) -> list[Text]:
    """Stretches of the texts one after another, long enough for 1,000 tokens."""
    from hsa.commands.fit import read_texts
    from hsa.fitting.settings import Text

    size = 8000
    found = [
        Text(f"{text.name} {at}", text.content[at : at + size])
        for text in read_texts(args.texts)
        for at in range(0, len(text.content) - size, size)
    ]
    return found[: args.count]
