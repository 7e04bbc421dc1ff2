"""`python -m hsa calibrate`: a field's weights and reads, measured anew on texts."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from hsa.commands.model import add_field, add_model, field_of, loaded_model
from hsa.commands.out import add_out, check_out

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from hsa.inference.plan import RunPlan


def add(subparsers: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser("calibrate", help="calibrate a field anew; its splats stay")
    add_model(parser)
    add_field(parser)
    parser.add_argument("--texts", nargs="+", type=Path, required=True, metavar="DIR_OR_FILE")
    parser.add_argument(
        "--held", nargs="+", type=Path, metavar="DIR_OR_FILE",
        help="texts that choose between the ways of spending reads",
    )  # fmt: skip
    add_out(parser)


def run(args: argparse.Namespace) -> int:
    """Measure, save, and say what the reads of each head come to."""
    from hsa.commands.fit import read_texts, say_spending
    from hsa.field.checkpoint import save_field
    from hsa.fitting.calibrated import calibrated
    from hsa.fitting.settings import FitSettings
    from hsa.inference.plan import run_plan

    check_out(args.out)
    texts = read_texts(args.texts)
    held = read_texts(args.held) if args.held else texts
    loaded = loaded_model(args)
    field = field_of(args, loaded)
    field, _ = calibrated(
        loaded, field, None, texts, held, FitSettings(),
        lambda sentence, _: print(sentence, file=sys.stderr, flush=True),
    )  # fmt: skip
    size = save_field(field, args.out)
    print(f"{args.out}: {size / 1e6:.2f} MB")
    say_spending(field)
    for tokens in sorted({curves.tokens for curves in field.own_curves} | {field.positions}):
        print(_choice(run_plan(field, tokens, causal=loaded.causal), tokens))
    return 0


def _choice(plan: RunPlan, tokens: int) -> str:
    """Which heads stay exact, what that costs, and how far the others' reads lie apart."""
    if plan.blocks is None:
        return f"{tokens} tokens: every head reads all of them"
    far, heads = plan.blocks.splats + plan.blocks.tokens, plan.beta.numel()
    exact = set() if plan.exact is None else {tuple(at) for at in plan.exact.nonzero().tolist()}
    names = ", ".join(f"{layer}.{head}" for layer, head in sorted(exact)) or "none"
    others = [
        reads
        for layer, row in enumerate(plan.own)
        for head, reads in enumerate(row)
        if (layer, head) not in exact
    ]
    return (
        f"{tokens} tokens, {far} far reads on average: exact heads (layer.head) {names}, "
        f"at {len(exact) * tokens / heads:.0f} of these reads; the others {min(others)} to "
        f"{max(others)}"
    )
