"""`python -m hsa quantise`: a model's field in eight bits, and what that costs in error."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hsa.commands.fit import read_text
from hsa.commands.model import add_field, add_model, field_of, loaded_model
from hsa.commands.out import add_out, check_out
from hsa.errors import InputError

if TYPE_CHECKING:
    from argparse import _SubParsersAction
    from collections.abc import Mapping

    from hsa.activations import Activations
    from hsa.field.model_field import ModelField
    from hsa.models.loaded import LoadedModel
    from hsa.tokens import Tokens

TOKENS = 1024


@dataclass(frozen=True)
class AddedError:
    """Mean and worst relative output error of HSA over heads, with either field.

    The error is ‖Ô - O‖_F / ‖O‖_F of a head over the last 256 queries, as in `hsa fidelity`.
    """

    text: str
    tokens: int
    layers: int
    reads_wanted: float
    mean_before: float
    mean_after: float
    worst_before: float
    worst_after: float
    reads_before: float
    reads_after: float

    @property
    def added(self) -> float:
        return self.mean_after - self.mean_before


def add(subparsers: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser("quantise", help="store a field in eight bits")
    add_model(parser)
    add_field(parser)
    add_out(parser)
    parser.add_argument("--text", type=Path, help="measure the added error on this UTF-8 text")
    parser.add_argument("--tokens", type=int, default=TOKENS, help="of the text")
    parser.add_argument("--layers", default="all", help="all, or numbers with commas between")
    parser.add_argument("--json", action="store_true", help="print JSON instead of sentences")


def run(args: argparse.Namespace) -> int:
    """Write the field in eight bits, read it back, and print what changed."""
    from hsa.field.checkpoint import load_field, save_field
    from hsa.field.shipped import shipped_path
    from hsa.models.capture import capture

    source = args.field or shipped_path(args.model)
    _check_out(args.out, source)
    content = read_text(args.text) if args.text else None
    loaded = loaded_model(args)
    field = field_of(args, loaded)
    # All that may be refused comes before the file is written.
    tokens = None if content is None else _unseen_tokens(loaded, field, args, content)
    layers = _layers(args.layers, loaded)
    before = sum(path.stat().st_size for path in (source, source.with_suffix(".json")))
    after = save_field(field, args.out, "int8")
    result: dict[str, object] = {
        "model": loaded.name,
        "field": str(source),
        "out": str(args.out),
        "splats": sum(head.splats for heads in field.heads for head in heads),
        "bytes_before": before,
        "bytes_after": after,
        "error": None,
    }
    if tokens is not None:
        stored = load_field(args.out, loaded.fingerprint)
        captured = capture(loaded, tokens, layers)
        error = _added_error(captured, field, stored, args.text.name)
        result["error"] = asdict(error) | {"added": error.added}
    if args.json:
        sys.stdout.write(json.dumps(result, indent=1) + "\n")
    else:
        _print(result)
    return 0


def _check_out(out: Path, source: Path) -> None:
    check_out(out)
    if out.resolve() == source.resolve():
        raise InputError(
            "The field would be written over itself", got=str(out),
            needed="another file, for eight bits cannot be undone",
            attempt=f"{out.with_name(f'{out.stem}-int8.safetensors')}",
        )  # fmt: skip


def _unseen_tokens(
    loaded: LoadedModel, field: ModelField, args: argparse.Namespace, content: str
) -> Tokens:
    """The text's first tokens; refused where it is short, or where the field was made from it."""
    from hsa.fitting.windows import first_tokens

    wanted = min(args.tokens, loaded.max_tokens)
    if wanted < 64:
        raise InputError("The measure needs far keys", got=f"{wanted} tokens",
                         needed="at least 64", attempt=f"--tokens {TOKENS}")  # fmt: skip
    tokens = first_tokens(loaded.tokenize(content), wanted)
    if len(tokens) < wanted:
        raise InputError(
            f"{args.text.name} is too short", got=f"{len(tokens)} tokens",
            needed=f"{wanted} tokens", attempt=f"a longer text, or --tokens {len(tokens)}",
        )  # fmt: skip
    digest = hashlib.sha256(content.encode()).hexdigest()
    if digest in {made.sha256 for made in (*field.calibrated_on, *field.fitted_on)}:
        raise InputError("The field was made from this very text", got=f"sha256 {digest[:16]}",
                         needed="a text that neither fit nor calibration saw",
                         attempt="choose another text")  # fmt: skip
    return tokens


def _layers(wish: str, loaded: LoadedModel) -> list[int]:
    if wish == "all":
        return list(range(loaded.layers))
    try:
        return sorted({int(part) for part in wish.split(",")})
    except ValueError as error:
        raise InputError("--layers was not understood", got=wish, needed="all, or 0,4,18",
                         attempt="all") from error  # fmt: skip


def _added_error(
    captured: Mapping[int, Activations], before: ModelField, after: ModelField, text: str
) -> AddedError:
    from tqdm import tqdm

    from hsa.attention.spending import sensible_reads
    from hsa.evaluation.fidelity import fidelity

    activations = next(iter(captured.values()))
    reads = 64.0 if not activations.causal else float(sensible_reads(activations.tokens))
    summaries = []
    with tqdm(total=200, unit="%", bar_format="{l_bar}{bar}| {elapsed}") as bar:
        for number, field in enumerate((before, after)):

            def show(sentence: str, fraction: float | None, done: int = number) -> None:
                bar.set_description_str(sentence)
                bar.update(max(0, 100 * (done + (fraction or 0)) - bar.n))

            measured = fidelity(captured, field, reads, progress=show, only=("hsa",))
            summaries.append(measured.summary()["hsa"])
        bar.update(200 - bar.n)
    old, new = summaries
    return AddedError(
        text=text, tokens=activations.tokens, layers=len(captured), reads_wanted=reads,
        mean_before=old["mean"], mean_after=new["mean"],
        worst_before=old["worst"], worst_after=new["worst"],
        reads_before=old["reads"], reads_after=new["reads"],
    )  # fmt: skip


def _print(result: dict) -> None:
    out = sys.stdout.write
    before, after = result["bytes_before"], result["bytes_after"]
    out(f"{result['out']}: {result['splats']:,} splats of {result['model']}, "
        f"{before / 1e6:.2f} MB before, {after / 1e6:.2f} MB in eight bits "
        f"({after / before:.0%})\n")  # fmt: skip
    error = result["error"]
    if error is None:
        return
    out(f"Relative output error of HSA on {error['text']}, {error['tokens']} tokens, "
        f"{error['layers']} layers:\n")  # fmt: skip
    for name, when in (("as it was", "before"), ("in eight bits", "after")):
        out(f"  {name:<14} mean {error[f'mean_{when}']:.5f}  worst {error[f'worst_{when}']:.4f}"
            f"  at {error[f'reads_{when}']:.1f} reads per query\n")  # fmt: skip
    out(f"  added          mean {error['added']:+.5f}\n")
