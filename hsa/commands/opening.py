"""The option of who chooses what is opened, alike in every command that runs a model on HSA."""

from __future__ import annotations

import argparse

OPENINGS = ("query", "block", "mixed")
"""As `hsa.inference.plan.OPENINGS`, which would import torch before a line of help."""


def add_opening(parser: argparse.ArgumentParser) -> None:
    """Declare `--opening`."""
    parser.add_argument(
        "--opening", choices=OPENINGS, default="query",
        help="who chooses what is opened: each query, a block's queries together, or together but "
        "for heads that look single tokens up (query)",
    )  # fmt: skip
