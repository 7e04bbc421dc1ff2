"""A tunable number, declared once: default, bounds, unit and help."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from hsa.errors import InputError


@dataclass(frozen=True)
class Bounds:
    """What a hyperparameter may be; both ends included."""

    low: float
    high: float
    unit: str
    help: str


def hyperparameter(default: float, low: float, high: float, unit: str, help: str) -> Any:
    """A dataclass field whose bounds serve validation, widget and documentation alike."""
    return dataclasses.field(
        default=default, metadata={"hyperparameter": Bounds(low, high, unit, help)}
    )


def bounds(settings: Any) -> dict[str, Bounds]:
    """The bounds of every hyperparameter of a settings class or instance."""
    return {
        field.name: field.metadata["hyperparameter"]
        for field in dataclasses.fields(settings)
        if "hyperparameter" in field.metadata
    }


def check_bounds(settings: Any) -> None:
    """Refuse settings outside their bounds; call it from __post_init__."""
    for name, allowed in bounds(settings).items():
        value = getattr(settings, name)
        if not allowed.low <= value <= allowed.high:
            raise InputError(
                f"{name.replace('_', ' ')} is out of bounds",
                got=value,
                needed=f"{allowed.low} to {allowed.high} {allowed.unit}".rstrip(),
                attempt=allowed.help,
            )
