"""A case as it was chosen, in one parameter of the address: an address of its own within it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any
from urllib.parse import parse_qs, urlencode

from pages.ui import long_texts


@dataclass(frozen=True)
class ChosenCase:
    """Model, prompt, and how reads are spent, as the side bar had them.

    Attributes:
        sample: name of a sample, "" for a text of the visitor's own.
        text: the visitor's own text, "" for a sample.
        reads: None for a number that suits the text.
        way: 'field' for the way that the field was calibrated.
    """

    model: str
    sample: str
    text: str
    reads: int | None
    way: str


def write(case: ChosenCase | None) -> str:
    """What stands for the case in the address; "" for none."""
    if case is None:
        return ""
    given = {part.name: getattr(case, part.name) for part in fields(case)}
    given["text"] = long_texts.write(case.text)
    return urlencode({name: value for name, value in given.items() if value not in ("", None)})


def read(text: str, readers: tuple[Callable[[str], Any], ...]) -> ChosenCase | None:
    """The case that the parameter means; ValueError for nonsense, or for a text that is gone.

    Args:
        readers: of the parts, in their order.
    """
    if not text:
        return None
    given = parse_qs(text, strict_parsing=True)
    names = [part.name for part in fields(ChosenCase)]
    if not set(given) <= set(names) or any(len(values) > 1 for values in given.values()):
        raise ValueError(text)
    if "model" not in given or "way" not in given or ("sample" in given) == ("text" in given):
        raise ValueError(text)
    missing = {"sample": "", "text": "", "reads": None}
    return ChosenCase(
        *(
            reader(given[name][0]) if name in given else missing[name]
            for name, reader in zip(names, readers, strict=True)
        )
    )
