"""A result as JSON: dataclasses by field, tensors as lists."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection
from typing import Any


def as_json(result: object, without: Collection[str] = ()) -> str:
    """The whole result, indented.

    Args:
        without: names of fields to leave out, wherever they stand.

    Raises:
        TypeError: it holds what JSON cannot say.
    """
    return json.dumps(plain(result, without), indent=1)


def plain(value: object, without: Collection[str] = ()) -> Any:
    """Dicts, lists, texts and numbers alone."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [of.name for of in dataclasses.fields(value) if of.name not in without]
        return {name: plain(getattr(value, name), without) for name in names}
    if isinstance(value, (tuple, list)):
        return [plain(of, without) for of in value]
    return value.tolist() if hasattr(value, "tolist") else value  # type: ignore[union-attr]
