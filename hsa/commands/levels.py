"""`python -m hsa levels`: what heads lose without Documents, Sections or both."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hsa.commands.as_json import as_json
from hsa.commands.model import add_field, add_model, chosen, field_of, loaded_model
from hsa.errors import InputError

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from hsa.evaluation.without_levels import LevelsCompared


@dataclass(frozen=True)
class Told:
    """One head with levels switched off."""

    layer: int
    head: int
    compared: LevelsCompared


def add(subparsers: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser(
        "levels",
        help="what heads lose with levels of the field switched off",
        description="Heads computed again without Documents, without Sections, and with Phrases "
        "alone, each query within the reads that it spends with all levels on.",
    )
    add_model(parser)
    parser.add_argument("--text", type=Path, required=True, metavar="FILE", help="a UTF-8 text")
    parser.add_argument("--tokens", type=int, metavar="N", help="read only the first N tokens")
    add_field(parser)
    parser.add_argument("--reads", type=int, help="mean reads per query")
    parser.add_argument("--layer", type=int, required=True)
    parser.add_argument("--heads", default="all", metavar="H,H,…")
    parser.add_argument("--json", action="store_true")


def run(args: argparse.Namespace) -> int:
    """Switch levels off and print."""
    told = list(_look(args))
    sys.stdout.write((as_json(told) if args.json else "\n".join(_show(told))) + "\n")
    return 0


def _look(args: argparse.Namespace) -> Iterator[Told]:
    from hsa.attention.reference import attend
    from hsa.attention.spending import sensible_reads, spend
    from hsa.attention.views import into_layer
    from hsa.commands.fit import read_text
    from hsa.evaluation.without_levels import compare_levels
    from hsa.fitting.windows import first_tokens
    from hsa.models.capture import capture

    for name in ("reads", "tokens"):
        if getattr(args, name) is not None and getattr(args, name) < 1:
            raise InputError(f"--{name} is too small", got=getattr(args, name), needed="at least 1")
    text = read_text(args.text)
    loaded = loaded_model(args)
    field = field_of(args, loaded)
    heads = chosen(args.heads, loaded.query_heads, "--heads")
    tokens = loaded.tokenize(text)
    tokens = tokens if args.tokens is None else first_tokens(tokens, args.tokens)
    given = capture(loaded, tokens, [args.layer])[args.layer]
    reads = args.reads or sensible_reads(len(tokens))
    spending = spend(field, reads, len(tokens))[args.layer]
    for head in heads:
        group, member = divmod(head, given.group)
        one = field.layer(args.layer).group(group, slice(member, member + 1))
        alone = given.head(head)
        usual = attend(alone, one, spending.heads(slice(head, head + 1)))
        yield Told(args.layer, head, compare_levels(into_layer(alone, one), usual))


def _show(told: list[Told]) -> Iterator[str]:
    yield "layer  head  levels             error  without splats   reads  past their reads"
    for of in told:
        for variant in of.compared.variants:
            yield (
                f"{of.layer:>5}  {of.head:>4}  {variant.name:<17}  {variant.error:>6.2%}  "
                f"{variant.opened_only_error:>12.2%}  {variant.reads:>6.1f}  "
                f"{variant.raised_rows:>7} of {of.compared.queries}"
            )
