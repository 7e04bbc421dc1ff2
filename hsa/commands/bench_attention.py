"""`python -m hsa bench attention`: blocked HSA of one layer against exact attention."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from hsa.commands.bench_layer import add_layer_arguments, run_bench
from hsa.errors import InputError

if TYPE_CHECKING:
    from argparse import _SubParsersAction
    from collections.abc import Sequence

    from hsa.evaluation.attention_speed import SpeedRow

PROTOCOL = {
    "error": "mean over heads and 256 evenly spaced queries of the second half of ‖ô - o‖ / ‖o‖",
    "window_error": "the near keys alone",
    "opened_only_error": "what HSA reads as tokens, its closed splats dropped",
    "reads": "near keys, closed splats and tokens of the last query, and its share of choosing "
    "(non-empty splats × scoring queries / block); mean over key/value heads",
    "seconds": "medians; every run of exact attention is followed by one of HSA",
    "hsa_peak_bytes": "high-water mark of a fresh process over one call, above the level before",
    "beyond the model's range": "windows of real text, their queries and keys rotated to the "
    "positions that they have in the whole text; a field fitted so on other text, tempers 0.75",
}


def add(subparsers: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the measurement."""
    parser = subparsers.add_parser(
        "attention",
        help="one layer's attention: blocked HSA against the fastest exact one",
        description="Seconds, error and peak memory of blocked HSA in one layer, on queries, "
        "keys and values of a real text, beside exact attention on the same threads. Sizes that "
        "are left out are those of a plan for each length.",
    )
    add_layer_arguments(parser, "4096,8192")
    parser.add_argument("--runs", type=int, default=3, help="counted rounds, after one warm-up")


def run(args: argparse.Namespace) -> int:
    """Measure and print."""
    from hsa.evaluation.attention_speed import PLANS, speed_row

    if args.runs < 1:
        raise InputError("--runs is too small", got=args.runs, needed="at least 1")
    return run_bench(
        args, PLANS, PROTOCOL,
        lambda part, field, plan, origin: speed_row(part, field, plan, args.runs, origin), _print,
    )  # fmt: skip


def _print(rows: Sequence[SpeedRow]) -> None:
    out = sys.stdout.write
    out(f"{'tokens':>7}{'exact s':>10}{'HSA s':>9}{'speedup':>9}{'error':>9}{'opened only':>13}"
        f"{'window':>9}{'reads':>8}{'peak MB':>9}  field\n")  # fmt: skip
    for row in rows:
        out(f"{row.tokens:>7}{row.sdpa_seconds:>10.3f}{row.hsa_seconds:>9.3f}{row.speedup:>8.2f}x"
            f"{row.error:>9.4f}{row.opened_only_error:>13.4f}{row.window_error:>9.4f}"
            f"{row.reads:>8.0f}{row.hsa_peak_bytes / 1e6:>9.0f}  {row.field}\n")  # fmt: skip
    for row in rows:
        sizes = ", ".join(f"{name} {size}" for name, size in row.plan.items())
        out(f"plan at {row.tokens}: {sizes}\n")
    for row in rows:
        seconds = [f"{name} {value:.3f} s" for name, value in row.baselines.items()]
        skipped = [f"{name} not run: {reason}" for name, reason in row.skipped.items()]
        out(f"exact at {row.tokens}: {', '.join(seconds + skipped)}\n")
