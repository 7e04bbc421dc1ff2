"""`python -m hsa bench WHAT`: measurements of this machine; one file for each."""

from __future__ import annotations

import argparse
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import _SubParsersAction

# name: module with add(subparsers) and run(args) -> exit status
MEASUREMENTS = {
    "waits": "hsa.commands.bench_waits",
    "attention": "hsa.commands.bench_attention",
    "decode": "hsa.commands.bench_decode",
    "adaptation": "hsa.commands.bench_adaptation",
    "rules": "hsa.commands.bench_rules",
}


def add(subparsers: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommand and what it measures."""
    parser = subparsers.add_parser(
        "bench", help="measure waits and the speed of attention on this machine"
    )
    measured = parser.add_subparsers(dest="measured", required=True, metavar="WHAT")
    for module in MEASUREMENTS.values():
        import_module(module).add(measured)


def run(args: argparse.Namespace) -> int:
    """Run the measurement that was named."""
    return import_module(MEASUREMENTS[args.measured]).run(args)
