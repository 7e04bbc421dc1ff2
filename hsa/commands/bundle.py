"""`python -m hsa bundle`: a head, a query and a key of a text as one file that can be verified."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from hsa.commands.model import add_field, add_model, field_of, loaded_model
from hsa.errors import InputError

if TYPE_CHECKING:
    from argparse import _SubParsersAction


def add(subparsers: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser(
        "bundle",
        help="put a view and its numbers into one file",
        description="Measure one head of a text, and one query and key of it, and write prompt, "
        "settings and numbers to a file that `python -m hsa verify` and the Library page open.",
    )
    add_model(parser)
    text = parser.add_mutually_exclusive_group(required=True)
    text.add_argument("--text", type=Path, metavar="FILE", help="a UTF-8 text")
    text.add_argument("--prompt", metavar="STRING", help="a text typed here")
    add_field(parser)
    parser.add_argument("--layer", type=int, default=0)
    parser.add_argument("--head", type=int, default=0)
    parser.add_argument("--query", type=int, help="position of the query taken apart")
    parser.add_argument("--key", type=int, help="position of the key that it looks at")
    parser.add_argument("--reads", type=int, help="mean reads per query over all heads")
    parser.add_argument("--spend", help="how reads are spent; as the field says if left out")
    parser.add_argument("--blocks", action="store_true", help="blocks of queries open together")
    parser.add_argument("--grid", action="store_true", help="the scores of all heads too")
    parser.add_argument("--out", type=Path, required=True, help="file ending in .zip")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Measure, write, and say what was written."""
    if args.out.suffix != ".zip":
        raise InputError(
            "--out was not understood", got=args.out.name, needed="a name ending in .zip",
            attempt=f"{args.out.stem}.zip",
        )  # fmt: skip
    if (args.query is None) != (args.key is None):
        raise InputError("--query and --key belong together", attempt="name both, or none")
    from hsa.attention.spending import sensible_reads
    from hsa.commands.fit import read_text
    from hsa.sharing.bundle import make_bundle
    from hsa.sharing.bundle_file import written
    from hsa.sharing.view import View

    prompt = args.prompt if args.text is None else read_text(args.text)
    loaded = loaded_model(args)
    field = field_of(args, loaded)
    count = len(loaded.tokenize(prompt))
    reads = args.reads or sensible_reads(count)
    first = 0 if args.query is None else min(max(0, args.query - MOST_SHOWN // 2),
                                             max(0, count - MOST_SHOWN))  # fmt: skip
    view = View(
        args.layer, args.head, reads, args.spend or field.spending,
        "block" if args.blocks else "query", first, min(count, MOST_SHOWN), args.query, args.key,
        args.grid,
    )  # fmt: skip
    bundle = make_bundle(loaded, field, prompt, view, "compare", _choices(args, reads))
    content = written(bundle)
    args.out.write_bytes(content)
    said = {
        "out": args.out.name, "bytes": len(content), "model": bundle.model, "tokens": count,
        "field_sha256": bundle.field.checksum,
        "field_inside": bundle.field.tensors is not None,
        "numbers": {number.name: number.values.numel() for number in bundle.numbers},
    }  # fmt: skip
    if args.json:
        sys.stdout.write(json.dumps(said, indent=1) + "\n")
    else:
        for name, value in said.items():
            sys.stdout.write(f"{name}: {value}\n")
    return 0


MOST_SHOWN = 2048
"""Queries compared, as on the page; of longer texts a stretch around the query."""


def _choices(args: argparse.Namespace, reads: int) -> tuple[tuple[str, str], ...]:
    """What the page's address would say."""
    given = {"model": args.model, "layer": args.layer, "head": args.head, "reads": reads}
    if args.spend:
        given["spend"] = args.spend
    if args.query is not None:
        given["cell"] = f"{args.query},{args.key}"
    if args.blocks:
        given["opening"] = "block"
    return tuple((name, str(value)) for name, value in given.items())
