"""`python -m hsa portrait`: what a splat stands for in a text, and what it does."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hsa.commands.as_json import as_json
from hsa.commands.model import add_field, add_model, field_of, loaded_model
from hsa.errors import InputError

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from hsa.evaluation.splat_effect import HeadEffect, NextTokenEffect
    from hsa.explanation.counterfactual import Counterfactual
    from hsa.field.model_field import ModelField
    from hsa.specialization.portrait import Portrait
    from hsa.specialization.roster import Roster

SHOWN = 12
OUTPUTS = ("output", "hsa_output", "standard_output", "removed_from_standard")
"""Vectors, which nobody reads as text."""


@dataclass(frozen=True)
class Told:
    """All that the command found out; the last three are None without `--effect`, and the last
    one for a model that predicts no next token.
    """

    model: str
    layer: int
    head: int
    reads: int
    splats: Roster
    portrait: Portrait
    counterfactual: Counterfactual | None
    effects: tuple[HeadEffect, ...] | None
    next_token: tuple[NextTokenEffect, ...] | None


def add(subparsers: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser(
        "portrait",
        help="what a splat stands for in a text",
        description="One splat of one query head: its tokens, pairs, states, error, family and "
        "profiles; with --effect, the head, the layer and the next token with it closed, removed "
        "and replaced.",
    )
    add_model(parser)
    parser.add_argument("--text", type=Path, required=True, metavar="FILE", help="a UTF-8 text")
    parser.add_argument("--tokens", type=int, metavar="N", help="read only the first N tokens")
    add_field(parser)
    parser.add_argument("--reads", type=int, help="mean reads per query")
    parser.add_argument("--layer", type=int, required=True)
    parser.add_argument("--head", type=int, required=True)
    parser.add_argument("--splat", type=int, help="its id; the heaviest Phrase if left out")
    parser.add_argument("--effect", action="store_true", help="run the counterfactuals too")
    parser.add_argument("--log", type=Path, metavar="FILE", help="an adaptation's log, for lineage")
    parser.add_argument("--json", action="store_true")


def run(args: argparse.Namespace) -> int:
    """Look at the splat and print."""
    told = _look(args)
    sys.stdout.write((as_json(told, OUTPUTS) if args.json else "\n".join(_show(told))) + "\n")
    return 0


def _look(args: argparse.Namespace) -> Told:
    from hsa.attention.reference import attend
    from hsa.attention.spending import sensible_reads, spend
    from hsa.attention.views import into_layer
    from hsa.commands.fit import read_text
    from hsa.evaluation.splat_effect import CASES, head_effects, next_token_effects
    from hsa.explanation.counterfactual import counterfactual
    from hsa.field.splat_field import PHRASE
    from hsa.fitting.windows import first_tokens
    from hsa.models.capture import capture
    from hsa.specialization.portrait import portrait
    from hsa.specialization.roster import roster

    text = read_text(args.text)
    loaded = loaded_model(args)
    field = field_of(args, loaded)
    for name, count in (("layer", loaded.layers), ("head", loaded.query_heads)):
        if not 0 <= getattr(args, name) < count:
            raise InputError(
                f"The model has no such {name}", got=getattr(args, name), needed=f"0 to {count - 1}"
            )
    if args.reads is not None and args.reads < 1:
        raise InputError("--reads is too small", got=args.reads, needed="at least 1")
    tokens = loaded.tokenize(text)
    if args.tokens is not None:
        if args.tokens < 1:
            raise InputError("--tokens is too small", got=args.tokens, needed="at least 1")
        tokens = first_tokens(tokens, args.tokens)
    given = capture(loaded, tokens, [args.layer])[args.layer]
    reads = args.reads or sensible_reads(len(tokens))
    spending = spend(field, reads, len(tokens))[args.layer]
    group, member = divmod(args.head, given.group)
    one = field.layer(args.layer).group(group, slice(member, member + 1))
    alone = given.head(args.head)
    result = attend(alone, one, spending.heads(slice(args.head, args.head + 1)))
    framed = into_layer(alone, one)
    known = roster(result, framed, 0)
    splat = known.heaviest(PHRASE) if args.splat is None else args.splat
    lineage = None
    if args.log is not None:
        lineage = _lineage(args.log, field, args.layer, group, splat)
    shown = portrait(result, framed, tokens.strings, 0, splat, lineage)
    found = effects = predictions = None
    if args.effect:
        found = counterfactual(result, framed, splat)
        effects = head_effects(loaded, given, args.head, found)
        if loaded.writes:
            predictions = next_token_effects(
                loaded, field, tokens, args.layer, args.head, found, CASES
            )
    return Told(
        loaded.name, args.layer, args.head, reads, known, shown, found, effects, predictions
    )


def _lineage(log: Path, field: ModelField, layer: int, group: int, splat: int) -> tuple[str, ...]:
    """What a log that began from this field says of the splat."""
    from hsa.adaptation.film import film_of_log
    from hsa.adaptation.film_words import history
    from hsa.adaptation.replay import read_log

    film = film_of_log(read_log(log), {(layer, group): field.heads[layer][group]}, layer, group)
    if splat not in film.splat_id.tolist():
        return ("The log says nothing of this splat.",)
    return tuple(history(film, splat))


def _show(told: Told) -> list[str]:
    shown = told.portrait
    error, family = shown.error, shown.family
    parent = "no parent" if family.parent is None else f"parent {_name(family.parent)}"
    lines = [
        f"{told.model}: layer {told.layer}, head {told.head}, {shown.name}: "
        f"{len(shown.positions):,} of {shown.tokens:,} tokens, {told.reads} reads",
        f"  mass: standard {shown.mass_standard:.4%}, HSA {shown.mass_hsa:.4%}; of far keys "
        f"{shown.far_standard:.4%} and {shown.far_hsa:.4%}",
        "  queries: " + ", ".join(f"{of.state} {of.share:.1%}" for of in shown.states),
        f"  closed by {error.queries:,} queries: moved the output by {error.moved:.3%} (mass "
        f"{error.mass_error**0.5:.3%}, value {error.value_error**0.5:.3%}); head's error "
        f"{error.head_error:.3%}",
        f"  spread: field {shown.field_spread:.3f}, prompt {shown.prompt_spread:.3f} logits; "
        f"prior {shown.prior:.3%}",
        f"  {parent}, {len(family.children)} children; nearest "
        + (", ".join(f"{_name(of)} ({of.distance:.2f})" for of in family.neighbours) or "none"),
        "  position  token              received: standard, HSA   given: standard, HSA",
    ]
    order = shown.received_standard.argsort(descending=True, stable=True)[:SHOWN].tolist()
    for place in order:
        at = int(shown.positions[place])
        lines.append(
            f"  {at:8d}  {shown.strings[place]!r:<18.18} {shown.received_standard[place]:10.5f} "
            f"{shown.received_hsa[place]:10.5f} {shown.given_standard[at]:10.5f} "
            f"{shown.given_hsa[at]:10.5f}"
        )
    lines.append("  far pairs carried most: query → key, standard, HSA")
    for pair in shown.far_pairs:
        lines.append(
            f"    {pair.query} {pair.query_token!r} → {pair.key} {pair.key_token!r}  "
            f"{pair.standard:.4f}  {pair.hsa:.4f}  {pair.reading}"
        )
    if shown.lineage is None:
        lines.append("  no log at hand, so no lineage (--log FILE)")
    else:
        lines += [f"  {sentence}" for sentence in shown.lineage]
    return lines + _show_effect(told)


def _name(relative: object) -> str:
    return f"{relative.level} {relative.splat_id}"  # type: ignore[attr-defined]


def _show_effect(told: Told) -> list[str]:
    lines = []
    for effect in told.effects or ():
        lines.append(
            f"  {effect.case}: head {effect.head_total:.4%}, layer (through "
            f"{effect.layer.through}) {effect.layer.total:.4%}"
        )
    for of in told.next_token or ():
        lines.append(
            f"  {of.case}: next token KL mean {of.change.mean:.3g}, last {of.change.last:.3g} "
            f"nats; another likeliest at {of.change.top_changed} positions"
        )
    return lines
