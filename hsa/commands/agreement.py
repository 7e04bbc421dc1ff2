"""`python -m hsa agreement`: subject-verb agreement without the splats of some functions."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from hsa.commands.fit import read_text
from hsa.commands.model import add_field, add_model, field_of, loaded_model
from hsa.errors import InputError

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from hsa.evaluation.without_function import Outcome


def add(subparsers: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser(
        "agreement", help="agreement without the splats of a function", description=__doc__
    )
    add_model(parser)
    add_field(parser)
    parser.add_argument("--findings", type=Path, help="what `specialise --out` wrote; the shipped "
                        "ones if left out")  # fmt: skip
    parser.add_argument("--functions", default="subject_of,before_verb",
                        help="names of functions, commas between")  # fmt: skip
    parser.add_argument("--text", type=Path, required=True,
                        help="its beginning stands before every sentence")  # fmt: skip
    parser.add_argument("--before", type=int, default=64, help="tokens of it")
    parser.add_argument("--sentences", type=int, default=48)
    parser.add_argument("--splats", type=int, default=50, help="most telling ones removed")
    parser.add_argument("--draws", type=int, default=20, help="of random splats of equal mass")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")


def run(args: argparse.Namespace) -> int:
    """Measure and print."""
    from tqdm import tqdm

    from hsa.evaluation.number_agreement import agreement_cases
    from hsa.evaluation.without_function import without_function
    from hsa.memory.content import content_key
    from hsa.specialization.findings import ALL
    from hsa.specialization.findings_file import load_findings, shipped_findings

    functions = args.functions.split(",")
    if unknown := set(functions) - {one.name for one in ALL}:
        raise InputError("--functions was not understood", got=", ".join(sorted(unknown)),
                         needed=", ".join(one.name for one in ALL))  # fmt: skip
    loaded = loaded_model(args)
    field = field_of(args, loaded)
    if args.findings:
        findings = load_findings(args.findings)
    else:
        findings = shipped_findings(loaded.name, content_key(field))
    if findings is None or findings.field != content_key(field):
        raise InputError(
            "What the splats of this field serve is not known", needed="findings about it",
            attempt="`python -m hsa specialise --out FILE`, then --findings FILE",
        )  # fmt: skip
    whole = read_text(args.text)
    spans = loaded.tokenize(whole).spans
    cases = agreement_cases(loaded, whole[: spans[: args.before][-1][1]], args.sentences)
    with tqdm(total=100, unit="%", bar_format="{l_bar}{bar}| {elapsed}") as bar:

        def show(sentence: str, fraction: float | None) -> None:
            bar.set_description_str(sentence)
            bar.n = 100 * (fraction or 0)
            bar.refresh()

        found = without_function(loaded, field, findings, functions, cases, args.splats,
                                 args.draws, args.seed, show)  # fmt: skip
    if args.json:
        sys.stdout.write(json.dumps(asdict(found) | {"p": found.p}) + "\n")
        return 0
    out = sys.stdout.write
    out(f"{found.sentences} sentences, {', '.join(found.functions)}\n")
    out(f"{'':<24}{'splats':>8}{'mass':>9}{'margin, nats':>14}{'right':>8}\n")
    out(_line("the model as it is", found.whole))
    out(_line("without these splats", found.without))
    for at, draw in enumerate(found.draws):
        out(_line(f"random, draw {at + 1}", draw))
    out(f"p = {found.p:.3f} that random splats of equal mass hurt as much\n")
    return 0


def _line(name: str, of: Outcome) -> str:
    return f"{name:<24}{of.splats:>8}{of.mass:>9.3f}{of.margin:>14.3f}{of.right:>8.0%}\n"
