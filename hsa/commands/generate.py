"""`python -m hsa generate`: continue a text under HSA or standard attention."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from hsa.commands.model import add_field, add_model, field_of, loaded_model
from hsa.commands.opening import add_opening

if TYPE_CHECKING:
    from argparse import _SubParsersAction


def add(subparsers: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser("generate", help="continue a text under HSA")
    add_model(parser, device=True)
    add_field(parser)
    parser.add_argument("--prompt", required=True, help="the text to continue")
    parser.add_argument("--new", type=int, default=40, help="tokens to write at most")
    parser.add_argument("--reads", type=int, help="everything the last query reads")
    add_opening(parser)
    parser.add_argument("--beta", type=float, default=1.0, help="0 standard attention, 1 HSA")
    parser.add_argument("--temperature", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=0)


def run(args: argparse.Namespace) -> int:
    """Write as it comes, then what it cost on standard error."""
    import torch

    from hsa.inference.hsa_program import HSAProgram
    from hsa.inference.plan import run_plan
    from hsa.inference.write import write

    loaded = loaded_model(args)
    field = field_of(args, loaded)
    ids = loaded.tokenize(args.prompt).ids
    plan = run_plan(field, len(ids) + max(args.new, 1), args.reads, args.opening)
    program = HSAProgram(loaded, field, plan.with_beta(args.beta))
    generator = torch.Generator().manual_seed(args.seed)
    shown, seconds = "", 0.0
    for written in write(program, ids, args.new, args.temperature, generator):
        sys.stdout.write(written.text.removeprefix(shown))
        sys.stdout.flush()
        shown, seconds = written.text, seconds + written.seconds
    ledger = program.ledger
    sys.stdout.write("\n")
    sys.stderr.write(
        f"{seconds:.1f} s, {ledger.share_read:.0%} of the keys read, "
        f"{ledger.fallbacks} fallbacks to standard attention\n"
    )
    return 0
