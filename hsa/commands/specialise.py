"""`python -m hsa specialise`: which functions the splats of a field serve, and how surely."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from hsa.commands.fit import read_texts
from hsa.commands.model import add_field, add_model, chosen, field_of, loaded_model
from hsa.commands.out import check_out
from hsa.errors import InputError

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from hsa.field.model_field import ModelField
    from hsa.models.loaded import LoadedModel
    from hsa.specialization.corpus import Corpus
    from hsa.specialization.findings import Finding, Findings
    from hsa.specialization.summary import FunctionSummary

KEPT = 3
"""Findings of each splat, head and kind that `--out` keeps: those that tell most."""


def add(subparsers: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser(
        "specialise", help="which functions splats serve", description=__doc__
    )
    add_model(parser)
    add_field(parser)
    parser.add_argument("--texts", nargs="+", type=Path, metavar="DIR_OR_FILE",
                        help="texts alternate between the half that finds and the one that "
                        "confirms; without any, the findings that ship are printed")  # fmt: skip
    parser.add_argument("--tokens", type=int, default=52_000, help="read of all texts together")
    parser.add_argument("--window", type=int, default=1024, help="tokens of a passage")
    parser.add_argument("--layers", default="all", help="all, or numbers with commas between")
    parser.add_argument("--out", type=Path, help=f"write the {KEPT} most telling findings of each "
                        "splat, head and kind to this .safetensors file")  # fmt: skip
    parser.add_argument("--check", action="store_true", help="measure the procedure itself in the "
                        "first layer named: functions planted, labels shuffled")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print every finding as JSON")


def run(args: argparse.Namespace) -> int:
    """Measure and print."""
    from tqdm import tqdm

    from hsa.specialization.corpus import corpus
    from hsa.specialization.findings_file import save_findings
    from hsa.specialization.specialise import specialise

    if args.out is not None:
        check_out(args.out)
    if args.tokens < 64 or args.window < 64:
        raise InputError("Too little would be read", got=f"--tokens {args.tokens} --window "
                         f"{args.window}", needed="at least 64 of each")  # fmt: skip
    loaded = loaded_model(args)
    field = field_of(args, loaded)
    if not args.texts:
        return _shipped(args, field)
    texts = read_texts(args.texts)
    layers = chosen(args.layers, loaded.layers, "--layers")
    with tqdm(total=100, unit="%", bar_format="{l_bar}{bar}| {elapsed}") as bar:

        def show(sentence: str, fraction: float | None) -> None:
            bar.set_description_str(sentence)
            bar.n = 100 * (fraction or 0)
            bar.refresh()

        contents = [text.content for text in texts]
        read = corpus(loaded, contents, args.tokens, args.window, show)
        if args.check:
            result = _checked(loaded, field, read, layers[0], show)
            _print_json(result) if args.json else _print_check(result)
            return 0
        sources = [(text.name, hashlib.sha256(text.content.encode()).hexdigest()) for text in texts]
        findings = specialise(loaded, field, read, sources, layers, show)
    if args.out is not None:
        size = save_findings(findings.strongest(KEPT), args.out)
        sys.stderr.write(f"{args.out}: {size / 1e6:.2f} MB\n")
    return _said(args, findings)


def _shipped(args: argparse.Namespace, field: ModelField) -> int:
    from hsa.memory.content import content_key
    from hsa.specialization.findings_file import shipped_findings

    findings = shipped_findings(args.model, content_key(field))
    if findings is None or args.check or args.out:
        raise InputError("There is nothing to measure on", got="no --texts",
                         needed="texts, since none were measured with this field or more is asked "
                         "for than what ships", attempt="--texts DIR_OR_FILE …")  # fmt: skip
    return _said(args, findings)


def _said(args: argparse.Namespace, findings: Findings) -> int:
    from hsa.specialization.summary import summarise

    summary = summarise(findings)
    if args.json:
        _print_json(_as_json(findings, summary))
    else:
        _print(findings, summary)
    return 0


def _checked(
    loaded: LoadedModel, field: ModelField, read: Corpus, layer: int, show
) -> dict[str, object]:  # fmt: skip
    from hsa.specialization.layer_keys import LayerKeys
    from hsa.specialization.measure import measure
    from hsa.specialization.trial import planted, shuffled

    keys: list[LayerKeys] = []
    measure(loaded, field, read.passages, read.annotations, [layer], lambda _, k: keys.append(k),
            show)  # fmt: skip
    power = [
        asdict(planted(keys, function, purity, size, splats=20, seed=0))
        for size in (8, 20, 40)
        for function in ("subject", "date", "comma")
        for purity in (0.6, 0.75, 0.9)
    ]
    runs = [asdict(shuffled(field.layer(layer), keys, seed)) for seed in range(20)]
    return {"model": loaded.name, "layer": layer, "tokens": read.tokens, "notes": read.notes,
            "planted": power, "shuffled": runs}  # fmt: skip


def _print_check(result: dict) -> None:
    out = sys.stdout.write
    out(f"layer {result['layer']}, {result['tokens']:,} tokens\n")
    out("planted function  purity  keys a half  found  right name  of   false claims\n")
    for row in result["planted"]:
        out(
            f"{row['function']:<17} {row['purity']:>5.0%} {row['keys']:>12} {row['found']:>6} "
            f"{row['right']:>11}  {row['planted']:<4} {row['false']} of {row['claims']}\n"
        )  # fmt: skip
    runs = result["shuffled"]
    total = {name: sum(run[name] for run in runs) for name in runs[0]}
    out(f"labels shuffled {len(runs)} times: {total['claims']} claims of {total['tests']:,} tests, "
        f"in {total['with_claims']} of {total['families']} heads\n")  # fmt: skip


def _as_json(findings: Findings, summary: list[FunctionSummary]) -> dict[str, object]:
    return {
        "model": findings.model,
        "field": findings.field,
        "corpus": findings.corpus,
        "tokens": findings.tokens,
        "parsed": findings.parsed,
        "notes": findings.notes,
        "layers": findings.layers,
        "tests": findings.tests,
        "functions": [
            {**asdict(one), "best": _row(one.best)} for one in summary
        ],
        "findings": [_row(findings.finding(row)) for row in range(len(findings.layer))],
    }  # fmt: skip


def _row(found: Finding) -> dict[str, object]:
    row = asdict(found)
    row["kind"], row["function"] = found.function.kind, found.function.name
    return row


def _print_json(result: object) -> None:
    sys.stdout.write(json.dumps(result) + "\n")


def _print(findings: Findings, summary: list[FunctionSummary]) -> None:
    out = sys.stdout.write
    for note in findings.notes:
        out(f"{note}\n")
    out(f"{findings.model}, {len(findings.layers)} layers, {findings.tokens:,} tokens: "
        f"{len(findings.layer):,} findings of {findings.tests:,} tests\n")  # fmt: skip
    out(f"{'splats':>7} {'strong':>6} {'main':>6}  {'layers':<22} function\n")
    for one in summary:
        most = sorted(one.layers, key=lambda layer: -one.layers[layer])[:3]
        where = ", ".join(f"{layer}: {one.layers[layer]}" for layer in most)
        verb = "holds" if one.kind == "token" else "carries"
        best = one.best
        out(f"{one.splats:>7} {one.strong:>6} {one.strongest_for:>6}  {where:<22} {verb} "
            f"{one.title}; best {best.share:.0%} where {best.expected:.1%} is expected (layer "
            f"{best.layer}, head {best.head}, splat {best.splat_id})\n")  # fmt: skip
