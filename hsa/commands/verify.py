"""`python -m hsa verify`: a bundle's numbers worked out again, and what came of it."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from hsa.errors import InputError

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from hsa.sharing.verify import Verification


def add(subparsers: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser("verify", help="work a bundle's numbers out again")
    parser.add_argument("bundle", type=Path, help="what `hsa bundle` or a page wrote")
    parser.add_argument("--model", help="another name of the same model; the bundle's if left out")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def run(args: argparse.Namespace) -> int:
    """Verify and print; 1 when a number came out otherwise."""
    from hsa.models.loading import load
    from hsa.sharing.bundle_file import MOST_BYTES, read
    from hsa.sharing.verify import verify

    try:
        with args.bundle.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise InputError(
            f"{args.bundle.name} cannot be read", got=str(error), attempt="check the path"
        ) from error
    bundle = read(content)
    found = verify(bundle, load(args.model or bundle.model))
    if args.json:
        report = {
            "bundle": args.bundle.name, "model": bundle.model, "passed": found.passed,
            "largest": found.largest, **asdict(found),
        }  # fmt: skip
        sys.stdout.write(json.dumps(report, indent=1, allow_nan=False) + "\n")
    else:
        sys.stdout.write("\n".join(_table(found)) + "\n")
    return 0 if found.passed else 1


def _table(found: Verification) -> list[str]:
    lines = [f"{'':<44}{'values':>8}{'stored':>14}{'again':>14}{'apart':>10}"]
    for number in found.numbers:
        lines.append(
            f"{number.title:<44}{number.count:>8}{_shown(number.stored):>14}"
            f"{_shown(number.again):>14}{_shown(number.difference, 2):>10}  "
            + ("passed" if number.passed else "FAILED")
        )
    if found.versions_there != found.versions_here:
        lines.append(f"made with {_versions(found.versions_there)}")
        lines.append(f"verified with {_versions(found.versions_here)}")
    passed = "passed" if found.passed else "FAILED"
    lines.append(f"{passed}: the tolerance is {found.tolerance:.0e}, relative to row or output")
    return lines


def _shown(value: float | None, digits: int = 6) -> str:
    return "none" if value is None else f"{value:.{digits}g}"


def _versions(versions: tuple[tuple[str, str], ...]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions)
