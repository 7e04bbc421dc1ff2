"""`python -m hsa bench attention`: blocked HSA of one layer against exact attention."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hsa.commands.fit import read_texts
from hsa.errors import InputError

if TYPE_CHECKING:
    from argparse import _SubParsersAction
    from collections.abc import Iterator, Sequence

    from hsa.activations import Activations
    from hsa.attention.block_plan import BlockPlan
    from hsa.evaluation.attention_speed import SpeedRow
    from hsa.field.layer_field import LayerField
    from hsa.field.model_field import ModelField
    from hsa.fitting.settings import Text
    from hsa.models.loaded import LoadedModel

SIZES = ("block", "splats", "tokens_read", "scored", "chunk")
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
        "keys and values of a real text, beside exact attention on the same threads. Sizes that are "
        "left out are those of a plan for each length.",
    )
    parser.add_argument("--model", default="smollm2", help="catalogue key, hub id or folder")
    parser.add_argument(
        "--tokens", default="4096,8192", metavar="N,N,…", help="text lengths (4096,8192)"
    )
    parser.add_argument(
        "--text", nargs="+", action="extend", type=Path, required=True, metavar="FILE_OR_DIR",
        help="measured texts, read one after another",
    )  # fmt: skip
    parser.add_argument(
        "--fit-text", nargs="+", action="extend", type=Path, default=[], metavar="FILE_OR_DIR",
        help="texts that a field is fitted on where the model's range ends",
    )  # fmt: skip
    parser.add_argument(
        "--fit-tokens", type=int, default=98304, help="most read of these texts (98304)"
    )
    parser.add_argument("--field", type=Path, help="within the range; the shipped if left out")
    parser.add_argument("--layer", type=int, help="the middle one if left out")
    parser.add_argument("--block", type=int, help="queries that share what they open")
    parser.add_argument("--splats", type=int, help="closed splats that a query evaluates")
    parser.add_argument("--tokens-read", type=int, help="far tokens read in opened splats")
    parser.add_argument("--scored", type=int, help="queries of a head and block that choose")
    parser.add_argument("--chunk", type=int, help="blocks computed at once")
    parser.add_argument("--runs", type=int, default=3, help="counted rounds, after one warm-up")
    parser.add_argument("--json", action="store_true")


def run(args: argparse.Namespace) -> int:
    """Measure and print."""
    from dataclasses import asdict

    from hsa.evaluation.waits import machine
    from hsa.models.loading import load

    lengths = text_lengths(args.tokens)
    plans = {length: block_plan(args, length) for length in lengths}
    texts, fit_texts = read_texts(args.text), read_texts(args.fit_text)
    loaded = load(args.model)
    layer = loaded.layers // 2 if args.layer is None else args.layer
    _refuse(args, loaded, layer, plans)
    _refuse_seen(texts, fit_texts)
    measured = list(_rows(args, loaded, layer, plans, (texts, fit_texts)))
    result = {
        "machine": machine(),
        "model": loaded.name,
        "layer": layer,
        "texts": [text.name for text in texts],
        "fit_texts": [text.name for text in fit_texts],
        "protocol": PROTOCOL,
        "rows": [asdict(row) for row in measured],
    }
    if args.json:
        sys.stdout.write(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    else:
        _print(result, measured)
    return 0


def text_lengths(wish: str) -> list[int]:
    """The lengths asked for, shortest first."""
    try:
        return sorted({int(part) for part in wish.split(",")})
    except ValueError as error:
        raise InputError(
            "--tokens was not understood", got=wish, needed="whole numbers, commas between",
            attempt="4096,8192",
        ) from error  # fmt: skip


def block_plan(args: argparse.Namespace, length: int) -> BlockPlan:
    """The plan for a length, with what was asked for."""
    from dataclasses import replace

    from hsa.evaluation.attention_speed import plan_for

    wishes = {name.removesuffix("_read"): getattr(args, name) for name in SIZES}
    given = {name: wish for name, wish in wishes.items() if wish is not None}
    return replace(plan_for(length), **given)


def _refuse(
    args: argparse.Namespace, loaded: LoadedModel, layer: int, plans: dict[int, BlockPlan]
) -> None:
    longest = max(plans)
    if not loaded.causal:
        raise InputError("Blocked HSA is causal", got=loaded.title, needed="a model that writes",
                         attempt="--model smollm2")  # fmt: skip
    if not 0 <= layer < loaded.layers:
        raise InputError("The model has no such layer", got=layer,
                         needed=f"0 to {loaded.layers - 1}")  # fmt: skip
    for length, plan in plans.items():
        if length < 4 * plan.block:
            raise InputError("Blocked HSA needs far keys", got=f"{length} tokens",
                             needed=f"at least 4 blocks of {plan.block}",
                             attempt="more --tokens or a smaller --block")  # fmt: skip
    if longest > loaded.max_tokens and not args.fit_text:
        raise InputError(f"{longest:,} tokens are beyond every fitted field",
                         got="no --fit-text", needed=f"texts of {longest:,} tokens to fit on",
                         attempt=f"--fit-text, or --tokens {loaded.max_tokens}")  # fmt: skip
    if args.runs < 1:
        raise InputError("--runs is too small", got=args.runs, needed="at least 1")


def _refuse_seen(texts: Sequence[Text], fit_texts: Sequence[Text]) -> None:
    fitted = {text.content for text in fit_texts}
    for text in texts:
        if text.content in fitted:
            raise InputError("A field must be fitted on other text", got=f"{text.name} in both",
                             needed="--fit-text that is not measured")  # fmt: skip


def _rows(
    args: argparse.Namespace,
    loaded: LoadedModel,
    layer: int,
    plans: dict[int, BlockPlan],
    texts: tuple[Sequence[Text], Sequence[Text]],
) -> Iterator[SpeedRow]:
    from functools import cache

    from hsa.evaluation.attention_speed import speed_row
    from hsa.evaluation.long_field import fit_long_field
    from hsa.evaluation.long_keys import activation_slice, joined_tokens, long_activations
    from hsa.evaluation.rotary import rotary_of
    from hsa.fitting.settings import FitSettings

    lengths = list(plans)
    rotary = cache(lambda: rotary_of(loaded))
    within = [length for length in lengths if length <= loaded.max_tokens]
    beyond = lengths[-1] if lengths[-1] > loaded.max_tokens else 0
    # Everything that may be refused comes before the minutes of measuring.
    shipped = _known_field(args, loaded, texts[0]).layer(layer) if within else None
    tokens = joined_tokens(loaded, texts[0], lengths[-1])
    fit_tokens = joined_tokens(loaded, texts[1], max(args.fit_tokens, beyond), beyond)

    def captured(what: str, tokens: Any) -> Activations:
        return long_activations(
            loaded, tokens, layer, rotary, report=lambda said: _say(f"{what}, {said}")
        )

    measured = captured("Measured text", tokens)
    if measured.sliding_window is not None:
        raise InputError("This layer does not look at the whole text",
                         got=f"a sliding window of {measured.sliding_window} tokens",
                         needed="full attention", attempt="another --layer")  # fmt: skip
    fitted = captured("Fit", fit_tokens) if beyond else None

    def field_for(length: int) -> tuple[LayerField, str]:
        if shipped is not None and length <= loaded.max_tokens:
            return shipped, "given" if args.field else "shipped"
        assert fitted is not None, "texts were read for the lengths beyond"
        _say(f"Fitting a field over {length:,} positions")
        return (
            fit_long_field(fitted, length, rotary(), FitSettings()),
            f"fitted over {length} positions",
        )

    for length in lengths:
        field, name = field_for(length)
        _say(f"Measuring {length:,} tokens")
        part = activation_slice(measured, slice(length))
        yield speed_row(part, field, plans[length], args.runs, name)


def _known_field(
    args: argparse.Namespace, loaded: LoadedModel, texts: Sequence[Text]
) -> ModelField:
    from hsa.field.checkpoint import load_field
    from hsa.field.shipped import shipped_field

    field = (
        load_field(args.field, loaded.fingerprint)
        if args.field
        else shipped_field(args.model, loaded.fingerprint)
    )
    made_from = {source.sha256 for source in (*field.fitted_on, *field.calibrated_on)}
    for text in texts:
        if text.source(0).sha256 in made_from:
            raise InputError("The field was made from this very text", got=text.name,
                             needed="a text that neither fit nor calibration saw",
                             attempt="choose another text")  # fmt: skip
    return field


def _say(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")


def _print(result: dict[str, Any], rows: Sequence[SpeedRow]) -> None:
    out = sys.stdout.write
    out(f"{result['model']}, layer {result['layer']}, on {result['machine']}\n")
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
    for name, meaning in result["protocol"].items():
        out(f"  {name}: {meaning}\n")
