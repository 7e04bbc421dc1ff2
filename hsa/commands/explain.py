"""`python -m hsa explain`: why a weight is what it is, and the check that this is exact."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hsa.commands.model import add_field, add_model, field_of, loaded_model
from hsa.errors import InputError

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from torch import Tensor

    from hsa.attention.spending import Spending
    from hsa.explanation.checks import ExplanationCheck
    from hsa.explanation.contributors import RowExplanation
    from hsa.explanation.pair import PairExplanation
    from hsa.explanation.top_pairs import TopPairs
    from hsa.field.model_field import ModelField
    from hsa.models.loaded import LoadedModel
    from hsa.tokens import Tokens

EVERY_PAIR_TOKENS, RANDOM_PAIR_TOKENS = 128, 2048
BUDGETS = ((16, 16), (8, 64), (4, 192))
"""Reads of every third head of a check: the smaller of T / first and second, so that closed
splats of all levels occur."""
MEMBERS_SHOWN = 12


def add(subparsers: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser(
        "explain",
        help="check the explanations against the engine",
        description="Take attention weights apart: a pair, a row, or a head's top pairs; or "
        "--check every explanation against the engine.",
    )
    add_model(parser)
    text = parser.add_mutually_exclusive_group(required=True)
    text.add_argument("--text", type=Path, metavar="FILE", help="a UTF-8 text")
    text.add_argument("--prompt", metavar="STRING", help="a text typed here")
    parser.add_argument("--tokens", type=int, metavar="N", help="read only the first N tokens")
    add_field(parser)
    parser.add_argument(
        "--reads", type=int, help="mean reads per query; with --check, of every head"
    )
    parser.add_argument("--layer", type=int, default=0)
    parser.add_argument("--head", type=int, default=0)
    parser.add_argument("--query", type=int, help="position of the query; top pairs if left out")
    parser.add_argument("--key", type=int, help="position of the key; the row if left out")
    parser.add_argument("--check", action="store_true", help="check explanations on many pairs")
    parser.add_argument("--layers", default="all", metavar="L,L,…", help="layers to check")
    parser.add_argument("--pairs", type=int, default=1000, help="random pairs on the long text")
    parser.add_argument("--seed", type=int, default=0, help="of the random pairs")
    parser.add_argument("--json", action="store_true")


def run(args: argparse.Namespace) -> int:
    """Explain or check; a failed check exits with 1."""
    _refuse_nonsense(args)
    text = _text(args)
    loaded = loaded_model(args)
    field = field_of(args, loaded)
    tokens = loaded.tokenize(text)
    if args.check:
        return _check(args, loaded, field, tokens)
    return _explain(args, loaded, field, tokens)


def _refuse_nonsense(args: argparse.Namespace) -> None:
    for name, least in (("tokens", 2), ("reads", 1), ("pairs", 1)):
        value = getattr(args, name)
        if value is not None and value < least:
            raise InputError(f"--{name} is too small", got=value, needed=f"at least {least}")
    if args.key is not None and args.query is None:
        raise InputError("--key needs --query", attempt="name the query that looks at this key")


def _text(args: argparse.Namespace) -> str:
    from hsa.commands.fit import read_text

    return args.prompt if args.text is None else read_text(args.text)


# --- one pair, row or head ---------------------------------------------------------------------


def _explain(
    args: argparse.Namespace, loaded: LoadedModel, field: ModelField, tokens: Tokens
) -> int:
    import torch

    from hsa.attention.reference import attend
    from hsa.attention.spending import sensible_reads, spend
    from hsa.attention.views import into_layer
    from hsa.explanation.contributors import explain_row
    from hsa.explanation.pair import explain_pair
    from hsa.explanation.top_pairs import top_pairs
    from hsa.fitting.windows import first_tokens
    from hsa.models.capture import capture
    from hsa.specialization.findings_file import shipped_labels

    if args.tokens is not None:
        tokens = first_tokens(tokens, args.tokens)
    activations = capture(loaded, tokens, [args.layer])[args.layer]
    reads = args.reads or sensible_reads(len(tokens))
    spending = spend(field, reads, len(tokens))[args.layer]
    layer_field = field.layer(args.layer)
    layer = into_layer(activations, layer_field)
    labels = shipped_labels(loaded.name, field, args.layer, args.head)
    if args.query is None:
        result = attend(activations, layer_field, spending)
        pairs = top_pairs(
            result, layer, tokens.strings, [args.head], near=False, labels=labels
        )  # fmt: skip
        _write(args, pairs, _show_top)
        return 0
    if not 0 <= args.query < len(tokens):
        raise InputError("There is no such query", got=args.query, needed=f"0 to {len(tokens) - 1}")
    result = attend(activations, layer_field, spending, torch.tensor([args.query]))
    if args.key is None:
        row = explain_row(result, layer, tokens.strings, args.head, args.query, labels)
        _write(args, row, _show_row)
        return 0
    pair = explain_pair(result, layer, tokens.strings, args.head, args.query, args.key, labels)
    _write(args, pair, _show_pair)
    return 0


def _write(args: argparse.Namespace, result: Any, show: Any) -> None:
    if args.json:
        sys.stdout.write(json.dumps(asdict(result), indent=1) + "\n")
    else:
        sys.stdout.write("\n".join(show(result)) + "\n")


def _show_pair(pair: PairExplanation) -> list[str]:
    lines = [
        f"layer {pair.layer}, head {pair.head}: query {pair.query} {pair.query_token!r} → "
        f"key {pair.key} {pair.key_token!r} ({pair.reading})"
    ]
    for letter, splat in zip("DSP", pair.path, strict=True):
        name = f"{splat.level} {splat.splat_id}"
        served = f"; {splat.specialisation}" if splat.specialisation else ""
        lines.append(f"  {letter} {splat.share:12.6g}  {name:<16} {splat.state}{served}")
    tilted = f"tilted × {pair.tilt_factor:.4f}" if pair.tilted else "untilted"
    lines += [
        f"  t {pair.token_share:12.6g}  {'Token':<16} {tilted}",
        f"  D·S·P·t = {pair.product:.9g}",
        f"  A_ij    = {pair.weight:.9g}   ‖A_ij v_j‖ = {pair.contribution:.4g}",
    ]
    return lines


def _show_row(row: RowExplanation) -> list[str]:
    lines = [
        f"layer {row.layer}, head {row.head}: query {row.query} {row.query_token!r}: "
        f"{row.reads} reads and {row.near_keys} near keys",
        "      weight  ‖Σ A v‖   keys",
    ]
    for member in row.members[:MEMBERS_SHOWN]:
        name = member.label if member.kind == "splat" else f"{member.label!r} ({member.kind})"
        name += f"; {member.specialisation}" if member.specialisation else ""
        lines.append(f"  {member.weight:10.6f} {member.norm:8.4f} {member.keys:6d}  {name}")
    if len(row.members) > MEMBERS_SHOWN:
        rest = row.members[MEMBERS_SHOWN:]
        lines.append(
            f"  {sum(member.weight for member in rest):10.6f} {'':8} "
            f"{sum(member.keys for member in rest):6d}  {len(rest)} more members"
        )
    switched = ", its tilt switched off" if row.tilt_switched_off else ""
    lines += [
        f"  {row.total:10.6f}  in all; near keys {row.near_weight:.6f}",
        f"  negative mass {row.negative_mass:.6f}{switched}",
        f"  Σ_j A_ij - 1 = {row.row_sum - 1:.2e}, "
        f"‖Σ_j A_ij v_j - o_i‖ / ‖o_i‖ = {row.output_error:.2e}",
    ]
    return lines


def _show_top(top: TopPairs) -> list[str]:
    if not top.pairs:
        return ["Every key of this text is near: there is no pair beyond sinks and window."]
    lines = []
    for pair in top.pairs:
        lines += _show_pair(pair.explanation)
    return lines


# --- many pairs at once ------------------------------------------------------------------------


@dataclass(frozen=True)
class CheckedText:
    """What was checked on one length of the text."""

    what: str
    tokens: int
    layers: int
    reads: str
    check: ExplanationCheck


def _check(args: argparse.Namespace, loaded: LoadedModel, field: ModelField, tokens: Tokens) -> int:
    from hsa.explanation.checks import LIMIT
    from hsa.fitting.windows import first_tokens

    layers = _layers(args.layers, loaded.layers)
    short = first_tokens(tokens, min(EVERY_PAIR_TOKENS, args.tokens or EVERY_PAIR_TOKENS))
    checked = [_check_every_pair(args, loaded, field, short, layers)]
    long = first_tokens(tokens, min(RANDOM_PAIR_TOKENS, args.tokens or RANDOM_PAIR_TOKENS))
    if len(long) > len(short):
        checked.append(_check_random_pairs(args, loaded, field, long, layers))
    passed = all(part.check.passed for part in checked)
    if args.json:
        report = {
            "model": loaded.name,
            "limit": LIMIT,
            "passed": passed,
            "seed": args.seed,
            "texts": [asdict(part) for part in checked],
        }
        sys.stdout.write(json.dumps(report, indent=1) + "\n")
    else:
        for part in checked:
            sys.stdout.write("\n".join(_show_check(part)) + "\n")
        sys.stdout.write(f"{'passed' if passed else 'FAILED'}: the limit is {LIMIT:.0e}\n")
    return 0 if passed else 1


def _layers(asked: str, count: int) -> list[int]:
    if asked == "all":
        return list(range(count))
    try:
        layers = sorted({int(part) for part in asked.split(",")})
    except ValueError as error:
        raise InputError(
            "--layers was not understood", got=asked, needed="numbers and commas", attempt="0,9,18"
        ) from error
    if not layers or not 0 <= layers[0] <= layers[-1] < count:
        raise InputError(
            "The model has no such layer", got=asked, needed=f"0 to {count - 1}", attempt="all"
        )
    return layers


def _budgets(args: argparse.Namespace, heads: int, tokens: int) -> tuple[Spending, str]:
    import torch

    from hsa.attention.spending import Spending

    if args.reads is not None:
        return Spending(torch.full((heads,), args.reads)), f"{args.reads} in every head"
    low = [max(1, min(tokens // part, most)) for part, most in BUDGETS]
    reads = torch.tensor([low[head % len(low)] for head in range(heads)])
    return Spending(reads), f"{', '.join(map(str, low))} in every third head"


def _check_every_pair(
    args: argparse.Namespace,
    loaded: LoadedModel,
    field: ModelField,
    tokens: Tokens,
    layers: list[int],
) -> CheckedText:
    from hsa.activations import Activations
    from hsa.attention.reference import attend
    from hsa.attention.views import into_layer
    from hsa.explanation.checks import ExplanationCheck, check_explanations
    from hsa.models.capture import capture

    spending, reads = _budgets(args, loaded.query_heads, len(tokens))
    parts = []

    def check(number: int, activations: Activations) -> None:
        layer_field = field.layer(number)
        result = attend(activations, layer_field, spending)
        parts.append(check_explanations(result, into_layer(activations, layer_field)))

    capture(loaded, tokens, layers, check)
    return CheckedText("every pair", len(tokens), len(layers), reads, ExplanationCheck.join(parts))


def _check_random_pairs(
    args: argparse.Namespace,
    loaded: LoadedModel,
    field: ModelField,
    tokens: Tokens,
    layers: list[int],
) -> CheckedText:
    from hsa.activations import Activations
    from hsa.attention.reference import attend
    from hsa.attention.views import into_layer
    from hsa.explanation.checks import ExplanationCheck, check_pairs
    from hsa.models.capture import capture

    spending, reads = _budgets(args, loaded.query_heads, len(tokens))
    drawn = random_pairs(args.pairs, layers, loaded, len(tokens), args.seed)
    parts = []

    def check(number: int, activations: Activations) -> None:
        pairs = drawn[drawn[:, 0] == number][:, 1:]
        if not len(pairs):
            return
        layer_field = field.layer(number)
        result = attend(activations, layer_field, spending, pairs[:, 1].unique())
        parts.append(check_pairs(result, into_layer(activations, layer_field), pairs))

    capture(loaded, tokens, layers, check)
    return CheckedText(
        "random pairs", len(tokens), len(layers), reads, ExplanationCheck.join(parts)
    )


def random_pairs(
    count: int, layers: list[int], loaded: LoadedModel, tokens: int, seed: int
) -> Tensor:
    """Layer, head, query and a key that it may see, uniformly, one row for each pair."""
    import torch

    generator = torch.Generator().manual_seed(seed)

    def draw(most: int | Tensor) -> Tensor:
        return (torch.rand(count, generator=generator, dtype=torch.float64) * most).long()

    layer = torch.tensor(layers)[draw(len(layers))]
    head, query = draw(loaded.query_heads), draw(tokens)
    key = draw(query + 1 if loaded.causal else tokens)
    return torch.stack([layer, head, query, key], dim=1)


def _show_check(part: CheckedText) -> list[str]:
    check = part.check
    document, section, phrase = check.closed_rows
    return [
        f"{part.tokens} tokens, {part.what}: {check.pairs:,} pairs in {check.rows:,} rows of "
        f"{part.layers} layers; reads {part.reads}",
        f"  D·S·P·t against A_ij, relative       {check.product:.2e}",
        f"  Σ_j A_ij against 1                   {check.row_sum:.2e}",
        f"  Σ_j A_ij v_j against o_i, relative   {check.output:.2e}",
        f"  rows with a closed Document {document:,}, Section {section:,}, Phrase {phrase:,}; "
        f"{check.whole_rows:,} read all their far keys",
        f"  largest negative mass of a row {check.negative_mass:.4f}; tilt switched off in "
        f"{check.untilted_rows:,} rows",
    ]
