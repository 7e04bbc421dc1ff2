"""`python -m hsa inside`: every head's error as the model runs HSA, beside its controls."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from hsa.commands.model import add_field, add_model, field_of, loaded_model
from hsa.commands.opening import add_opening
from hsa.commands.perplexity import beginning

if TYPE_CHECKING:
    from argparse import _SubParsersAction


def add(subparsers: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser("inside", help="every head's error as the model runs HSA")
    add_model(parser)
    parser.add_argument("--text", type=Path, required=True, help="a UTF-8 text")
    parser.add_argument("--tokens", type=int, default=8192)
    parser.add_argument("--reads", type=int,
                        help="everything the last query reads (666 at 8192)")  # fmt: skip
    add_opening(parser)
    add_field(parser)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def run(args: argparse.Namespace) -> int:
    """Measure and print; progress goes to standard error."""
    from hsa.attention.spending import sensible_everything
    from hsa.evaluation.inside import inside_errors
    from hsa.inference.plan import run_plan

    loaded = loaded_model(args)
    field = field_of(args, loaded)
    tokens = beginning(args, loaded)
    reads = sensible_everything(len(tokens)) if args.reads is None else args.reads
    plan = run_plan(field, len(tokens), reads, args.opening, loaded.causal)
    found = inside_errors(
        loaded, field, plan, tokens, lambda line: print(line, file=sys.stderr, flush=True)
    )
    exact = 0 if plan.exact is None else int(plan.exact.sum())
    methods = {
        name: {"mean": float(error.mean()), "median": float(error.median()),
               "worst": float(error.max())}
        for name in ("hsa", "opened_only", "window")
        for error in (getattr(found, name).flatten(),)
    }  # fmt: skip
    last = float(found.reads.mean())
    if args.json:
        shown = {"model": loaded.name, "text": args.text.name, "tokens": len(tokens),
                 "opening": args.opening, "reads": last, "exact_heads": exact,
                 "methods": methods}  # fmt: skip
        sys.stdout.write(json.dumps(shown, indent=1) + "\n")
        return 0
    print(
        f"{loaded.title}, {len(tokens)} tokens of {args.text.name}, {found.hsa.numel()} heads, "
        f"{exact} of them exact; the last query reads {last:.0f}, mean over heads\n"
        f"{'':<12}{'mean':>8}{'median':>8}{'worst':>8}"
    )
    for name, of in methods.items():
        print(f"{name:<12}{of['mean']:>8.4f}{of['median']:>8.4f}{of['worst']:>8.3f}")
    return 0
