"""One layer of real text at several lengths, as the benches of attention measure it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from hsa.commands.fit import read_texts
from hsa.commands.model import add_model, field_of, loaded_model
from hsa.errors import InputError

if TYPE_CHECKING:
    from hsa.activations import Activations
    from hsa.attention.block_plan import BlockPlan
    from hsa.evaluation.rotary import Rotary
    from hsa.field.layer_field import LayerField
    from hsa.field.model_field import ModelField
    from hsa.fitting.settings import Text
    from hsa.models.loaded import LoadedModel
    from hsa.tokens import Tokens

Row = TypeVar("Row", bound=Any)

SIZES = ("block", "splats", "tokens_read", "scored", "chunk")


def add_layer_arguments(parser: argparse.ArgumentParser, tokens: str) -> None:
    """What to measure on, and the sizes of the plan; `tokens` are the lengths by default."""
    add_model(parser)
    parser.add_argument(
        "--tokens", default=tokens, metavar="N,N,…", help=f"text lengths ({tokens})"
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
    parser.add_argument("--json", action="store_true")


def text_lengths(wish: str) -> list[int]:
    """The lengths asked for, shortest first."""
    try:
        return sorted({int(part) for part in wish.split(",")})
    except ValueError as error:
        raise InputError(
            "--tokens was not understood", got=wish, needed="whole numbers, commas between",
            attempt="4096,8192",
        ) from error  # fmt: skip


def block_plan(args: argparse.Namespace, length: int, plans: Mapping[int, BlockPlan]) -> BlockPlan:
    """The plan for a length, with what was asked for."""
    from dataclasses import replace

    from hsa.evaluation.attention_speed import plan_for

    wishes = {name.removesuffix("_read"): getattr(args, name) for name in SIZES}
    given = {name: wish for name, wish in wishes.items() if wish is not None}
    plan = replace(plan_for(length, plans), **given)
    if length < 4 * plan.block:
        raise InputError("Blocked HSA needs far keys", got=f"{length} tokens",
                         needed=f"at least 4 blocks of {plan.block}",
                         attempt="more --tokens or a smaller --block")  # fmt: skip
    return plan


@dataclass(frozen=True)
class BenchLayer:
    """A layer's activations on the measured texts, and a field for each length.

    Within the model's range the field is the given or the shipped one; beyond it, one fitted
    over so many positions on other texts.
    """

    loaded: LoadedModel
    layer: int
    lengths: Sequence[int]
    texts: Sequence[Text]
    tokens: Tokens
    fit_tokens: Tokens
    known: ModelField | None
    origin: str

    @cached_property
    def whole(self) -> Activations:
        """The longest length's activations; shorter ones are its beginning."""
        found = self._captured("Measured text", self.tokens)
        if found.sliding_window is not None:
            raise InputError("This layer does not look at the whole text",
                             got=f"a sliding window of {found.sliding_window} tokens",
                             needed="full attention", attempt="another --layer")  # fmt: skip
        return found

    def part(self, length: int) -> Activations:
        """The text's first tokens."""
        return self.whole.part(slice(length))

    def field(self, length: int) -> tuple[LayerField, str]:
        """The field that answers at this length, and where it is from."""
        from hsa.evaluation.long_field import fit_long_field
        from hsa.fitting.settings import FitSettings

        if self.known is not None and length <= self.loaded.max_tokens:
            return self.known.layer(self.layer), self.origin
        say(f"Fitting a field over {length:,} positions")
        fitted = fit_long_field(self._fitted, length, self._rotary, FitSettings())
        return fitted, f"fitted over {length} positions"

    @cached_property
    def _fitted(self) -> Activations:
        return self._captured("Fit", self.fit_tokens)

    @cached_property
    def _rotary(self) -> Rotary:
        from hsa.evaluation.rotary import rotary_of

        return rotary_of(self.loaded)

    def _captured(self, what: str, tokens: Tokens) -> Activations:
        from hsa.evaluation.long_keys import long_activations

        return long_activations(
            self.loaded, tokens, self.layer, lambda: self._rotary,
            report=lambda said: say(f"{what}, {said}"),
        )  # fmt: skip


def bench_layer(args: argparse.Namespace, lengths: Sequence[int]) -> BenchLayer:
    """Everything that may be refused, before the minutes of measuring."""
    from hsa.evaluation.long_keys import joined_tokens

    texts, fit_texts = read_texts(args.text), read_texts(args.fit_text)
    loaded = loaded_model(args)
    layer = loaded.layers // 2 if args.layer is None else args.layer
    longest = max(lengths)
    _refuse(args, loaded, layer, longest)
    _refuse_seen(texts, fit_texts)
    within = min(lengths) <= loaded.max_tokens
    known = _known_field(args, loaded, texts) if within else None
    tokens = joined_tokens(loaded, texts, longest)
    beyond = longest if longest > loaded.max_tokens else 0
    fit_tokens = joined_tokens(loaded, fit_texts, max(args.fit_tokens, beyond), beyond)
    origin = "given" if args.field else "shipped"
    return BenchLayer(loaded, layer, lengths, texts, tokens, fit_tokens, known, origin)


def _refuse(args: argparse.Namespace, loaded: LoadedModel, layer: int, longest: int) -> None:
    if not loaded.causal:
        raise InputError("Blocked HSA is causal", got=loaded.title, needed="a model that writes",
                         attempt="--model smollm2")  # fmt: skip
    if not 0 <= layer < loaded.layers:
        raise InputError("The model has no such layer", got=layer,
                         needed=f"0 to {loaded.layers - 1}")  # fmt: skip
    if longest > loaded.max_tokens and not args.fit_text:
        raise InputError(f"{longest:,} tokens are beyond every fitted field",
                         got="no --fit-text", needed=f"texts of {longest:,} tokens to fit on",
                         attempt=f"--fit-text, or --tokens {loaded.max_tokens}")  # fmt: skip


def _refuse_seen(texts: Sequence[Text], fit_texts: Sequence[Text]) -> None:
    fitted = {text.content for text in fit_texts}
    for text in texts:
        if text.content in fitted:
            raise InputError("A field must be fitted on other text", got=f"{text.name} in both",
                             needed="--fit-text that is not measured")  # fmt: skip


def _known_field(
    args: argparse.Namespace, loaded: LoadedModel, texts: Sequence[Text]
) -> ModelField:
    field = field_of(args, loaded)
    made_from = {source.sha256 for source in (*field.fitted_on, *field.calibrated_on)}
    for text in texts:
        if text.source(0).sha256 in made_from:
            raise InputError("The field was made from this very text", got=text.name,
                             needed="a text that neither fit nor calibration saw",
                             attempt="choose another text")  # fmt: skip
    return field


def run_bench(
    args: argparse.Namespace,
    plans: Mapping[int, BlockPlan],
    protocol: Mapping[str, str],
    measure: Callable[[Activations, LayerField, BlockPlan, str], Row],
    print_rows: Callable[[Sequence[Row]], None],
) -> int:
    """Measure a row for every length asked for, and print them as JSON or as a table.

    Args:
        plans: sizes by length, where the options leave them open.
        measure: a dataclass of what was found; it is told where the field is from.
    """
    from dataclasses import asdict

    from hsa.evaluation.waits import machine

    sizes = {length: block_plan(args, length, plans) for length in text_lengths(args.tokens)}
    layer = bench_layer(args, list(sizes))
    rows = []
    for length, plan in sizes.items():
        field, origin = layer.field(length)
        say(f"Measuring {length:,} tokens")
        rows.append(measure(layer.part(length), field, plan, origin))
    if args.json:
        found = {
            "machine": machine(),
            "model": layer.loaded.name,
            "layer": layer.layer,
            "texts": [text.name for text in layer.texts],
            "fit_tokens": len(layer.fit_tokens),
            "protocol": dict(protocol),
            "rows": [asdict(row) for row in rows],
        }
        sys.stdout.write(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
        return 0
    sys.stdout.write(f"{layer.loaded.name}, layer {layer.layer}, on {machine()}\n")
    print_rows(rows)
    for name, meaning in protocol.items():
        sys.stdout.write(f"  {name}: {meaning}\n")
    return 0


def say(sentence: str) -> None:
    """Progress, beside the result."""
    sys.stderr.write(f"{sentence}\n")
