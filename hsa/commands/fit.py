"""`python -m hsa fit`: the splat fields of a model, fitted on texts."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from hsa.commands.model import add_model, loaded_model
from hsa.commands.out import add_out, check_out
from hsa.errors import InputError

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from hsa.field.model_field import ModelField
    from hsa.fitting.settings import Text


def add(subparsers: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser("fit", help="fit the splat fields of a model on texts")
    add_model(parser)
    parser.add_argument("--texts", nargs="+", type=Path, required=True, metavar="DIR_OR_FILE")
    parser.add_argument(
        "--calibrate", nargs="+", type=Path, metavar="DIR_OR_FILE",
        help="texts that tempers, tilts and reads are calibrated on; the fit's own if left out",
    )  # fmt: skip
    parser.add_argument(
        "--held", nargs="+", type=Path, metavar="DIR_OR_FILE",
        help="texts that choose between the ways of spending reads",
    )  # fmt: skip
    add_out(parser)
    parser.add_argument(
        "--splats", default="8,64,640", metavar="D,S,P", help="Documents, Sections, Phrases"
    )
    parser.add_argument("--tokens-per-text", type=int, default=10240)
    parser.add_argument("--seed", type=int, default=0)


def run(args: argparse.Namespace) -> int:
    """Fit, print what was measured, save."""
    from tqdm import tqdm

    from hsa.field.checkpoint import save_field
    from hsa.fitting.fit import fit
    from hsa.fitting.settings import FitSettings

    try:
        documents, sections, phrases = (int(part) for part in args.splats.split(","))
    except ValueError as error:
        raise InputError(
            "--splats was not understood", got=args.splats, needed="three whole numbers",
            attempt="8,64,640",
        ) from error  # fmt: skip
    check_out(args.out)
    texts = read_texts(args.texts)
    calibration = read_texts(args.calibrate) if args.calibrate else texts[:3]
    held = read_texts(args.held) if args.held else calibration
    settings = FitSettings(
        documents=documents, sections=sections, phrases=phrases,
        tokens_per_text=args.tokens_per_text, seed=args.seed,
    )  # fmt: skip
    loaded = loaded_model(args)
    with tqdm(total=100, unit="%", bar_format="{l_bar}{bar}| {elapsed}") as bar:

        def show(sentence: str, fraction: float | None) -> None:
            bar.set_description_str(sentence)
            if fraction is not None:
                bar.update(max(0, 100 * fraction - bar.n))

        fitted = fit(loaded, texts, calibration, held, settings, show)
        bar.update(100 - bar.n)
    field = fitted.field
    size = save_field(field, args.out)
    out = sys.stdout.write
    out(f"{args.out}: {size / 1e6:.2f} MB, positions below {field.positions}\n")
    say_spending(field)
    stored = {way: error for way, error, _ in field.spending_errors}["per_head"]
    out(
        f"Rounding: {stored:.5f} as stored, {fitted.unrounded_error:.5f} in full precision "
        "(reads per head)\n"
    )
    return 0


def say_spending(field: ModelField) -> None:
    """Print what each way of spending reads leaves."""
    print("Mean relative output error over heads, on the held texts:")
    for way, error, reads in field.spending_errors:
        chosen = "  <- kept" if way == field.spending else ""
        print(f"  reads {way:<10} {error:.4f} at {reads:.1f} reads per query{chosen}")


def read_texts(paths: list[Path]) -> list[Text]:
    """Every file named, and every .txt and .md of every folder named, in order of name."""
    from hsa.fitting.settings import Text

    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            files += sorted(p for p in path.rglob("*") if p.suffix in {".txt", ".md"})
        else:
            files.append(path)
    return [Text(path.name, read_text(path)) for path in files]


def read_text(path: Path) -> str:
    """A UTF-8 text, refused clearly when it is missing, empty or binary."""
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise InputError(
            f"{path} cannot be read", got=error.strerror, attempt="check the path"
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path} is not UTF-8 text", got=f"byte {error.object[error.start]:#x} at "
            f"{error.start}", attempt="convert it to UTF-8",
        ) from error  # fmt: skip
    if not text.strip():
        raise InputError(
            f"{path} is empty", got="no characters but spaces", attempt="choose another text"
        )
    return text
