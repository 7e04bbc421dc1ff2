"""`python -m hsa perplexity`: what the model's loss pays for reading a part of the keys."""

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

    from hsa.models.loaded import LoadedModel
    from hsa.tokens import Tokens


def add(subparsers: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser("perplexity", help="loss under HSA beside its controls")
    add_model(parser, device=True)
    parser.add_argument("--text", type=Path, required=True, help="a UTF-8 text")
    parser.add_argument("--tokens", type=int, default=1024, help="tokens of it to read")
    parser.add_argument("--reads", type=int, help="everything the last query reads (410 at 4096)")
    add_opening(parser)
    add_field(parser)
    parser.add_argument("--json", action="store_true")


def run(args: argparse.Namespace) -> int:
    """Measure and print."""
    from dataclasses import asdict

    from hsa.attention.spending import sensible_everything
    from hsa.evaluation.language import losses
    from hsa.inference.plan import run_plan

    loaded = loaded_model(args)
    field = field_of(args, loaded)
    tokens = beginning(args, loaded)
    reads = sensible_everything(len(tokens)) if args.reads is None else args.reads
    plan = run_plan(field, len(tokens), reads, args.opening)
    found = losses(loaded, field, plan, tokens, reads)
    if args.json:
        sys.stdout.write(json.dumps({name: asdict(loss) for name, loss in found.items()}, indent=1))
        return 0
    sys.stdout.write(f"{loaded.title}, {len(tokens)} tokens, last query reads up to {reads}\n")
    late = found["standard"].late_nats
    for name, loss in found.items():
        sys.stdout.write(
            f"{name:<12}{loss.nats:9.4f} nats  late {loss.late_nats:.4f} "
            f"({loss.late_nats - late:+.4f})  KL {loss.late_kl_nats:.4f}  "
            f"same top token {loss.top_match:.1%}  reads {loss.reads:.0f}\n"
        )
    return 0


def beginning(args: argparse.Namespace, loaded: LoadedModel) -> Tokens:
    """The first `--tokens` tokens of `--text`.

    Raises:
        InputError: the text or the model holds fewer.
    """
    from hsa.fitting.windows import first_tokens

    tokens = first_tokens(loaded.tokenize(read_text(args.text)), max(args.tokens, 1))
    if not 4 <= args.tokens <= len(tokens):
        raise InputError(
            f"{args.text.name} cannot be read so far", got=f"{args.tokens} tokens",
            needed=f"4 to {len(tokens)}, what the text and the model hold",
            attempt="a longer text, or fewer --tokens",
        )  # fmt: skip
    return tokens
