"""`python -m hsa replay`: an adaptation's log, read and verified."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from hsa.commands.model import add_field, add_model, field_of, loaded_model

if TYPE_CHECKING:
    from argparse import _SubParsersAction


def add(subparsers: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser("replay", help="read an adaptation's log, and verify it")
    add_model(parser)
    add_field(parser)
    parser.add_argument("log", type=Path, help="what `hsa adapt` wrote")
    parser.add_argument("--verify", action="store_true",
                        help="rebuild every step and compare its checksum")  # fmt: skip
    parser.add_argument("--step", type=int, help="the step to rebuild; the last if left out")
    parser.add_argument("--out", type=Path, help="write the field of that step here")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Read, rebuild, print."""
    from dataclasses import replace

    from hsa.adaptation.replay import read_log, rebuilt
    from hsa.adaptation.step import tally
    from hsa.commands.out import check_out
    from hsa.field.checkpoint import save_field

    if args.out:
        check_out(args.out)
    log = read_log(args.log)
    counts = tally(log.head_steps())
    result: dict[str, object] = {
        "model": log.start.model, "steps": log.last_step, "records": len(log.steps),
        "finished": log.finished, "heads": len(log.start.heads),
        "bytes": args.log.stat().st_size, "accepted": dict(counts[True]),
        "rolled_back": counts[False].total(),
    }  # fmt: skip
    if args.verify or args.out:
        loaded = loaded_model(args)
        field = field_of(args, loaded)
        before = {
            (layer, group): head
            for layer, heads in enumerate(field.heads)
            for group, head in enumerate(heads)
        }
        after = rebuilt(log, before, args.step)
        result["verified_steps"] = sum(
            len(step.heads) for step in log.steps if args.step is None or step.number <= args.step
        )
        if args.out:
            heads = tuple(
                tuple(after[layer, group] for group in range(len(of_layer)))
                for layer, of_layer in enumerate(field.heads)
            )
            save_field(replace(field, heads=heads), args.out)
    if args.json:
        sys.stdout.write(json.dumps(result, indent=1) + "\n")
    else:
        for name, value in result.items():
            sys.stdout.write(f"{name}: {value}\n")
    return 0
