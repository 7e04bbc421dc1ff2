"""`python -m hsa bench decode`: one decoding step of one layer, HSA against exact attention."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from hsa.commands.bench_layer import add_layer_arguments, run_bench

if TYPE_CHECKING:
    from argparse import _SubParsersAction
    from collections.abc import Sequence

    from hsa.evaluation.decode_speed import DecodeRow

PROTOCOL = {
    "steps": "every token of the text's last block, by every way in turn, on the same keys",
    "standard_seconds": "median step of the fastest exact attention",
    "hsa_seconds": "mean step: one in a block opens for all of it, and is counted",
    "error": "mean over steps and heads of ‖ô - o‖ / ‖o‖",
    "window_error": "the near keys alone",
    "opened_only_error": "what HSA reads as tokens, its closed splats dropped",
    "reads": "near keys, closed splats and tokens of the last step, and its share of choosing",
    "beyond the model's range": "windows of real text, their queries and keys rotated to the "
    "positions that they have in the whole text; a field fitted so on other text, tempers 0.75",
}


def add(subparsers: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the measurement."""
    parser = subparsers.add_parser(
        "decode",
        help="one decoding step of one layer: HSA against the fastest exact attention",
        description="Seconds and error of a decoding step of one layer on queries, keys and "
        "values of a real text, beside exact attention on the same keys and threads.",
    )
    add_layer_arguments(parser, "2048,4096,8192")


def run(args: argparse.Namespace) -> int:
    """Measure and print."""
    from hsa.evaluation.decode_speed import PLANS, decode_row

    return run_bench(args, PLANS, PROTOCOL, decode_row, _print)


def _print(rows: Sequence[DecodeRow]) -> None:
    out = sys.stdout.write
    out(f"{'tokens':>7}{'exact ms':>10}{'HSA ms':>9}{'speedup':>9}{'usual':>8}{'entry':>8}"
        f"{'error':>9}{'opened only':>13}{'window':>9}{'reads':>8}  field\n")  # fmt: skip
    for row in rows:
        times = [1e3 * t for t in (row.usual_seconds, row.entry_seconds)]
        out(f"{row.tokens:>7}{1e3 * row.standard_seconds:>10.3f}{1e3 * row.hsa_seconds:>9.3f}"
            f"{row.speedup:>8.2f}x{times[0]:>8.3f}{times[1]:>8.2f}{row.error:>9.4f}"
            f"{row.opened_only_error:>13.4f}{row.window_error:>9.4f}{row.reads:>8.0f}"
            f"  {row.field}\n")  # fmt: skip
    for row in rows:
        sizes = ", ".join(f"{name} {size}" for name, size in row.plan.items())
        ways = ", ".join(f"{name} {1e3 * value:.3f} ms" for name, value in row.baselines.items())
        out(f"at {row.tokens}: {ways}; {sizes}\n")
