"""`python -m hsa calibrate`: a field's reads inside the model, measured anew on texts."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import _SubParsersAction


def add(subparsers: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser(
        "calibrate", help="measure anew what reads buy inside the model; the splats stay"
    )
    parser.add_argument("--model", default="smollm2", help="catalogue key, hub id or folder")
    parser.add_argument("--field", type=Path, help="the shipped one if left out")
    parser.add_argument("--texts", nargs="+", type=Path, required=True, metavar="DIR_OR_FILE")
    parser.add_argument("--out", type=Path, required=True, help="file ending in .safetensors")


def run(args: argparse.Namespace) -> int:
    """Measure, save, and say which heads need the most."""
    from hsa.attention.spending import sensible_everything, spend_alone
    from hsa.commands.fit import check_out, read_texts
    from hsa.commands.perplexity import field_of
    from hsa.field.checkpoint import save_field
    from hsa.fitting.measure_alone import measure_alone
    from hsa.fitting.settings import FitSettings
    from hsa.models.loading import load

    check_out(args.out)
    texts = read_texts(args.texts)
    loaded = load(args.model)
    field = field_of(args, loaded)
    curves = measure_alone(
        loaded, field, texts, FitSettings().calibration_tokens,
        lambda sentence, _: print(sentence, file=sys.stderr, flush=True),
    )  # fmt: skip
    field = field.calibrated(own_curves=curves)
    size = save_field(field, args.out)
    print(f"{args.out}: {size / 1e6:.2f} MB")
    for found in curves:
        everything = sensible_everything(found.tokens)
        reads = spend_alone(field, everything / 2, found.tokens)
        order = reads.flatten().argsort(descending=True)[:8].tolist()
        most = ", ".join(
            f"{n // field.query_heads}.{n % field.query_heads}: {int(reads.flatten()[n])}"
            for n in order
        )
        print(f"{found.tokens} tokens, {everything // 2} reads on average, layer.head: {most}")
    return 0
