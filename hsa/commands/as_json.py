"""A result as JSON: dataclasses by field, tensors as lists."""

from __future__ import annotations

import dataclasses
import json
from typing import Any


def as_json(result: object) -> str:
    """The whole result, indented.

    Raises:
        TypeError: it holds what JSON cannot say.
    """
    return json.dumps(plain(result), indent=1)


def plain(value: object) -> Any:
    """Dicts, lists, texts and numbers alone."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {of.name: plain(getattr(value, of.name)) for of in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(name): plain(of) for name, of in value.items()}
    if isinstance(value, (tuple, list)):
        return [plain(of) for of in value]
    return value.tolist() if hasattr(value, "tolist") else value  # type: ignore[union-attr]
