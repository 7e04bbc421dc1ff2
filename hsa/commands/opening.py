"""The option of who chooses what is opened, alike in every command that runs a model on HSA."""

from __future__ import annotations

import argparse

OPENINGS = ("query", "block", "mixed", "exact")
"""As `hsa.inference.plan.OPENINGS`, which would import torch before a line of help."""


def add_opening(parser: argparse.ArgumentParser) -> None:
    """Declare `--opening`."""
    parser.add_argument(
        "--opening", choices=OPENINGS, default="query",
        help="who chooses what is opened: each query, a block's queries together, together but for "
        "heads that look single tokens up, or each query with those few heads left exact (query)",
    )  # fmt: skip
