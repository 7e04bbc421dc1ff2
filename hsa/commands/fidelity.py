"""`python -m hsa fidelity`: HSA against exact attention on a text, beside its rivals."""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from hsa.commands.fit import read_text
from hsa.commands.model import add_field, add_model, chosen, field_of, loaded_model
from hsa.errors import InputError

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from hsa.evaluation.fidelity import Fidelity
    from hsa.field.model_field import ModelField
    from hsa.models.loaded import LoadedModel


def add(subparsers: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser("fidelity", help="compare HSA with exact attention on a text")
    add_model(parser)
    parser.add_argument("--text", type=Path, required=True, help="a UTF-8 text")
    parser.add_argument("--tokens", type=int, help="4096, or the model's limit")
    parser.add_argument("--layers", default="all", help="all, or numbers with commas between")
    parser.add_argument("--reads", type=float, help="mean reads per query (300 at 4096 tokens)")
    parser.add_argument("--spending", choices=("uniform", "per_head", "per_query"),
                        help="how reads are spent; the field's choice if left out")  # fmt: skip
    add_field(parser)
    parser.add_argument("--methods", help="some of the methods, commas between; hsa always")
    parser.add_argument("--csv", type=Path, help="write the table per head here")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def run(args: argparse.Namespace) -> int:
    """Measure and print."""
    from tqdm import tqdm

    from hsa.attention.spending import sensible_reads
    from hsa.evaluation.fidelity import METHODS, fidelity
    from hsa.fitting.windows import first_tokens
    from hsa.models.capture import capture

    content = read_text(args.text)
    loaded = loaded_model(args)
    field = field_of(args, loaded)
    wanted = args.tokens or min(4096, loaded.max_tokens)
    tokens = first_tokens(loaded.tokenize(content), wanted)
    if len(tokens) < min(wanted, loaded.max_tokens):
        raise InputError(
            f"{args.text.name} is too short", got=f"{len(tokens)} tokens",
            needed=f"{wanted} tokens", attempt=f"a longer text, or --tokens {len(tokens)}",
        )  # fmt: skip
    if len(tokens) < 64:
        raise InputError("The protocol needs far keys", got=f"{len(tokens)} tokens",
                         needed="at least 64", attempt="a longer text")  # fmt: skip
    digest = hashlib.sha256(content.encode()).hexdigest()
    if digest in {source.sha256 for source in (*field.calibrated_on, *field.fitted_on)}:
        raise InputError("The field was made from this very text", got=f"sha256 {digest[:16]}",
                         needed="a text that neither fit nor calibration saw",
                         attempt="choose another text")  # fmt: skip
    reads = args.reads or (64 if not loaded.causal else sensible_reads(len(tokens)))
    layers = chosen(args.layers, loaded.layers, "--layers")
    only = args.methods.split(",") if args.methods else METHODS
    if unknown := set(only) - set(METHODS):
        raise InputError("--methods was not understood", got=", ".join(sorted(unknown)),
                         needed=", ".join(METHODS), attempt="leave it out for all")  # fmt: skip
    captured = capture(loaded, tokens, layers)
    with tqdm(total=100, unit="%", bar_format="{l_bar}{bar}| {elapsed}") as bar:

        def show(sentence: str, fraction: float | None) -> None:
            bar.set_description_str(sentence)
            bar.update(100 * (fraction or 0) - bar.n)

        measured = fidelity(captured, field, reads, args.spending, show, only)
        bar.update(100 - bar.n)
    protocol = _protocol(loaded, field, args, len(tokens), reads, digest)
    heads = sum(len(row) for row in measured.measures["hsa"]["error"])
    result = {
        "model": loaded.name,
        "tokens": len(tokens),
        "heads": heads,
        "protocol": protocol,
        "methods": measured.summary(),
    }
    if args.csv:
        _write_csv(measured, args.csv)
    if args.json:
        sys.stdout.write(json.dumps(result, indent=1) + "\n")
    else:
        _print(result)
    return 0


def _protocol(
    loaded: LoadedModel, field: ModelField, args: argparse.Namespace, tokens: int, reads: float,
    digest: str,
) -> dict[str, object]:  # fmt: skip
    from hsa.attention.near import NearKeys

    near = NearKeys.for_length(tokens, loaded.causal)
    if loaded.causal:
        text = (f"{near.sinks} sinks and the last {near.window} to {near.window + near.step - 1} "
                f"keys (window {near.window}, snapshots every {near.step})")  # fmt: skip
    else:
        text = (f"special tokens and {near.window} to {near.window + near.step - 1} keys "
                f"on both sides")  # fmt: skip
    return {
        "near": text,
        "queries": "all of the last 256" if loaded.causal else "all tokens of the text",
        "error": "‖Ô - O‖_F / ‖O‖_F of a head over these queries",
        "kl_nats": "mean over rows of KL(method ‖ exact); HSA's weights without the tilt",
        "total_variation": "mean over rows of half Σ|Â - A|; HSA's weights with the tilt",
        "dtype": str(loaded.model.dtype).removeprefix("torch."),
        "reads_wanted": reads,
        "spending": args.spending or field.spending,
        "pages": "16 keys; only tokens read are counted, the bounds are free",
        "text_sha256": digest,
        "calibration_sha256": [source.sha256 for source in field.calibrated_on],
        "calibrated_on": [source.name for source in field.calibrated_on],
        "fitted_on": [source.name for source in field.fitted_on],
        "fit_seed": field.seed,
    }


def _print(result: dict) -> None:
    out = sys.stdout.write
    out(f"{result['model']}, {result['tokens']} tokens, {result['heads']} heads\n")
    for name, value in result["protocol"].items():
        out(f"  {name}: {value if isinstance(value, str | float | int) else ', '.join(value)}\n")
    out(f"{'method':<18}{'mean':>8}{'median':>8}{'worst':>8}{'reads':>8}"
        f"{'KL nats':>9}{'TV':>8}{'mult-adds':>11}\n")  # fmt: skip
    for method, of in result["methods"].items():
        out(f"{method:<18}{of['mean']:>8.4f}{of['median']:>8.4f}{of['worst']:>8.3f}"
            f"{of['reads']:>8.1f}{of['kl_nats']:>9.4f}{of['total_variation']:>8.4f}"
            f"{of['multiply_adds']:>11,.0f}\n")  # fmt: skip


def _write_csv(measured: Fidelity, path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        names = list(next(iter(measured.measures.values())))
        writer.writerow(["method", "layer", "head", *names])
        for method, of in measured.measures.items():
            for number, layer in enumerate(measured.layers):
                for head in range(of["error"].shape[1]):
                    writer.writerow(
                        [method, layer, head, *(float(of[name][number, head]) for name in names)]
                    )
