"""`python -m hsa adapt`: a field adapted to texts, its log, and what that gained."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from hsa.commands.model import add_field, add_model, chosen, field_of, loaded_model
from hsa.commands.out import add_out, check_out
from hsa.errors import InputError

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from hsa.adaptation.lineage import StepRecord
    from hsa.adaptation.settings import AdaptationSettings
    from hsa.evaluation.adapted import Gains
    from hsa.field.model_field import ModelField
    from hsa.fitting.adapt import Which
    from hsa.models.loaded import LoadedModel


def add(subparsers: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser("adapt", help="adapt a field to texts, with a log to replay")
    add_model(parser, device=True)
    add_field(parser)
    parser.add_argument("--texts", nargs="+", type=Path, required=True, metavar="DIR_OR_FILE")
    parser.add_argument("--keep", nargs="+", type=Path, default=[], metavar="DIR_OR_FILE",
                        help="texts whose error must not rise")  # fmt: skip
    add_out(parser)
    parser.add_argument("--log", type=Path, help="the log; beside --out if left out")
    parser.add_argument("--resume", action="store_true", help="continue a run that was stopped")
    parser.add_argument("--layers", default="all", help="all, or numbers with commas between")
    parser.add_argument("--heads", default="all", help="key/value heads of each layer, likewise")
    parser.add_argument("--set", nargs="+", default=[], metavar="NAME=VALUE",
                        help="settings; a wrong name lists them all")  # fmt: skip
    parser.add_argument("--without", nargs="+", default=[], metavar="RULE",
                        help="rules switched off: birth mitosis merge death drift")  # fmt: skip
    files = {"nargs": "+", "type": Path, "default": [], "metavar": "DIR_OR_FILE"}
    parser.add_argument("--test", **files, help="unseen texts to measure before and after")
    parser.add_argument("--first-domain", **files, help="texts of the first domain, likewise")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def run(args: argparse.Namespace) -> int:
    """Adapt, save, measure, print."""
    from tqdm import tqdm

    from hsa.adaptation.edit import KINDS
    from hsa.adaptation.replay import read_log
    from hsa.adaptation.step import tally
    from hsa.commands.fit import read_texts
    from hsa.field.checkpoint import load_field, save_field
    from hsa.fitting.adapt import adapt

    check_out(args.out)
    settings = settings_of(args)
    texts, not_to_forget = read_texts(args.texts), read_texts(args.keep)
    loaded = loaded_model(args)
    field = field_of(args, loaded)
    which = which_of(args, field)
    log = args.log or args.out.with_suffix(".log")
    kept: Counter[str] = Counter()
    with tqdm(total=len(texts), unit="text", disable=None) as bar:

        def told(step: StepRecord) -> None:
            kept.update(tally(head.step for head in step.heads)[True])
            bar.n = step.number
            edits = ", ".join(f"{count} {kind}" for kind, count in kept.items())
            bar.set_description_str(f"{step.text}, layer {step.layer}: {edits}")

        adapted = adapt(loaded, field, texts, settings, which, log, not_to_forget, told=told,
                        resume=args.resume)  # fmt: skip
        bar.n = len(texts)
    save_field(adapted.field, args.out)
    for name in adapted.passed_over:
        sys.stderr.write(f"{name} was passed over: too short to say anything\n")
    counts = tally(read_log(log).head_steps())
    layers = sorted(which.groups)
    result: dict[str, object] = {
        "model": loaded.name, "texts": len(texts), "layers": layers,
        "field_bytes": args.out.stat().st_size, "log_bytes": log.stat().st_size,
    }  # fmt: skip
    if adapted.held is not None:
        result |= {"held_before": adapted.held[0], "held_after": adapted.held[1]}
    if args.test:  # What the file holds, rounding included.
        stored = load_field(args.out, loaded.fingerprint)
        result |= _tested(loaded, field, stored, args, layers)
    kept_edits = {kind: counts[True][kind] for kind in KINDS}
    result |= {"events": kept_edits | {"rolled_back": counts[False].total()}}
    if args.json:
        sys.stdout.write(json.dumps(result, indent=1) + "\n")
    else:
        for name, value in result.items():
            sys.stdout.write(f"{name}: {value}\n")
    return 0


def settings_of(args: argparse.Namespace) -> AdaptationSettings:
    """Settings by `--set` and `--without`."""
    from hsa.adaptation.edit import KINDS
    from hsa.adaptation.settings import AdaptationSettings
    from hsa.hyperparameter import bounds

    known = bounds(AdaptationSettings)
    given: dict[str, object] = {}
    for pair in args.set:
        name, _, value = pair.partition("=")
        if name == "schedule":
            given[name] = value
            continue
        try:
            given[name] = type(getattr(AdaptationSettings(), name))(value)
        except (AttributeError, ValueError, TypeError) as error:
            raise InputError(
                "--set was not understood", got=pair,
                needed="NAME=VALUE, of " + ", ".join([*known, "schedule"]),
            ) from error  # fmt: skip
    if unknown := set(args.without) - set(KINDS):
        raise InputError("--without was not understood", got=", ".join(sorted(unknown)),
                         needed=", ".join(KINDS))  # fmt: skip
    rules = tuple(kind for kind in KINDS if kind not in args.without)
    return AdaptationSettings(**given, rules=rules)  # type: ignore[arg-type]


def which_of(args: argparse.Namespace, field: ModelField) -> Which:
    """Heads by `--layers` and `--heads`."""
    from hsa.fitting.adapt import Which

    layers = chosen(args.layers, field.layers, "--layers")
    heads = chosen(args.heads, len(field.heads[0]), "--heads")
    return Which(dict.fromkeys(layers, tuple(heads)))


def _tested(
    loaded: LoadedModel, before: ModelField, after: ModelField, args: argparse.Namespace,
    layers: list[int],
) -> dict[str, object]:  # fmt: skip
    from hsa.commands.fit import read_texts
    from hsa.evaluation.adapted import gains

    def told(name: str) -> None:
        sys.stderr.write(f"Measuring {name}\n")

    test = gains(loaded, before, after, read_texts(args.test), layers, True, told)
    result = of_gains(test)
    if args.first_domain:
        first = gains(loaded, before, after, read_texts(args.first_domain), layers, False, told)
        result |= {"first_domain_before": first.before, "first_domain_after": first.after,
                   "first_domain_rise": first.rise,
                   "first_domain_rise_interval": first.rise_interval,
                   "first_domain_texts": first.by_text}  # fmt: skip
    return result


def of_gains(test: Gains) -> dict[str, object]:
    """What was gained, under the names that commands print."""
    return {
        "before": test.before, "after": test.after, "fitted_on_prompt": test.own,
        "gap_closed": test.closed, "gap_closed_interval": test.interval,
        "splats_off": test.splats_off, "reads": test.reads, "test_texts": test.by_text,
    }  # fmt: skip
