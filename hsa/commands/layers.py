"""`python -m hsa layers`: which layers and heads the next token depends on."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from hsa.commands.model import add_field, add_model, chosen, field_of, loaded_model
from hsa.commands.opening import add_opening
from hsa.commands.perplexity import beginning

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from hsa.evaluation.which_matter import Replaced


def add(subparsers: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser("layers", help="HSA in one layer, or one head, at a time")
    add_model(parser, device=True)
    parser.add_argument("--text", type=Path, required=True, help="a UTF-8 text")
    parser.add_argument("--tokens", type=int, default=1024, help="tokens of it to read")
    parser.add_argument("--reads", type=int, help="everything the last query reads (155 at 1024)")
    parser.add_argument("--layers", default="all", help="all, or numbers with commas between")
    parser.add_argument("--heads", type=int, metavar="WORST",
                        help="worst layers whose heads are replaced one by one (3)")  # fmt: skip
    add_opening(parser)
    add_field(parser)
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")


def run(args: argparse.Namespace) -> int:
    """Measure and print; progress goes to standard error."""
    from dataclasses import asdict

    from hsa.attention.spending import sensible_everything
    from hsa.evaluation.which_matter import which_matter
    from hsa.inference.plan import run_plan

    loaded = loaded_model(args)
    field = field_of(args, loaded)
    tokens = beginning(args, loaded)
    reads = sensible_everything(len(tokens)) if args.reads is None else args.reads
    plan = run_plan(field, len(tokens), reads, args.opening)
    tried = chosen(args.layers, loaded.layers, "--layers")
    worst = min(3, len(tried)) if args.heads is None else args.heads
    layers, heads = which_matter(
        loaded, field, plan, tokens, worst, tried,
        lambda line: print(line, file=sys.stderr, flush=True),
    )  # fmt: skip
    if args.json:
        shown = {"model": loaded.name, "text": args.text.name, "tokens": len(tokens),
                 "reads": reads, "opening": args.opening,
                 "layers": [asdict(row) for row in layers],
                 "heads": [asdict(row) for row in heads]}  # fmt: skip
        sys.stdout.write(json.dumps(shown, indent=1) + "\n")
        return 0
    print(
        f"{loaded.title}, {len(tokens)} tokens of {args.text.name}, last query reads up to "
        f"{reads}; next-token KL against standard attention in nats, late: second half"
    )
    _table("one layer at a time", layers)
    _table("one head at a time in the worst layers", heads)
    return 0


def _table(title: str, rows: list[Replaced]) -> None:
    if not rows:
        return
    print(f"\n{title}\n{'':<11}{'KL':>10}{'late':>10}{'splats off':>13}{'late':>10}"
          f"{'same top':>11}{'reads':>8}")  # fmt: skip
    for row in rows:
        name = f"{row.layer}" if row.head is None else f"{row.layer} head {row.head}"
        print(f"{name:<11}{row.kl_nats:>10.5f}{row.late_kl_nats:>10.5f}"
              f"{row.opened_only_kl_nats:>13.5f}{row.opened_only_late_kl_nats:>10.5f}"
              f"{row.top_match:>11.2%}{row.reads:>8.0f}")  # fmt: skip
