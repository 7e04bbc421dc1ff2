"""Findings on disk: one safetensors file, what describes them in its header."""

from __future__ import annotations

import json
import os
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from hsa.errors import FieldError
from hsa.field.model_field import ModelField
from hsa.field.splat_field import LEVELS
from hsa.memory.content import content_key
from hsa.specialization.findings import ALL, FIGURES, Findings

FORMAT = 1
WHOLE = {"layer": torch.int16, "head": torch.int16, "splat_id": torch.int32,
         "level": torch.int8, "function": torch.int16}  # fmt: skip
LOGARITHMIC = ("q", "p")
"""Columns kept as log10: half precision ends at 6e-8."""

SMALLEST = 1e-300
FOLDER = Path(__file__).resolve().parents[2] / "assets" / "specialization"


def save_findings(findings: Findings, path: Path) -> int:
    """Write atomically, figures in half precision; returns the bytes."""
    tensors = {name: getattr(findings, name).to(kind) for name, kind in WHOLE.items()}
    for place, name in enumerate(FIGURES):
        column = findings.figures[:, place].double()
        if name in LOGARITHMIC:
            column = column.clamp_min(SMALLEST).log10()
        tensors[name] = column.int() if name == "support" else column.half()
    described = {
        "format": FORMAT,
        "model": findings.model,
        "field": findings.field,
        "corpus": findings.corpus,
        "tokens": findings.tokens,
        "parsed": findings.parsed,
        "notes": findings.notes,
        "layers": findings.layers,
        "group": findings.group,
        "tests": findings.tests,
        "functions": [function.name for function in ALL],
    }
    blob = save(tensors, {"findings": json.dumps(described)})
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    scratch.write_bytes(blob)
    scratch.replace(path)
    return len(blob)


def load_findings(path: Path) -> Findings:
    """Findings as they were written; whoever uses them compares `field` with his own.

    Raises:
        FieldError: missing, damaged or of a newer format.
    """
    again = "measure again with `python -m hsa specialise`"
    try:
        with safe_open(path, "pt") as file:  # type: ignore[no-untyped-call]
            described = json.loads((file.metadata() or {})["findings"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if described["format"] > FORMAT:
            raise FieldError(
                f"The findings {path.name} are newer than this program",
                got=f"format {described['format']}", needed=f"format {FORMAT} or older",
                attempt="update HSA Explorer",
            )  # fmt: skip
        return _findings(described, tensors)
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, IndexError) as error:
        raise FieldError(
            f"The findings {path.name} cannot be read",
            got=f"{type(error).__name__}: {error}"[:200],
            needed="a file that `python -m hsa specialise` wrote", attempt=again,
        ) from error  # fmt: skip


def _findings(described: dict, tensors: dict[str, Tensor]) -> Findings:
    places = {function.name: place for place, function in enumerate(ALL)}
    # A function that this program does not know any more would be a KeyError, so a damaged file.
    of_file = torch.tensor([places[name] for name in described["functions"]])
    columns = []
    for name in FIGURES:
        column = tensors[name].double()
        columns.append(10**column if name in LOGARITHMIC else column)
    whole = {name: tensors[name].long() for name in WHOLE}
    if bool((whole["function"] < 0).any()):
        raise ValueError("functions below 0")
    whole["function"] = of_file[whole["function"]]
    if len({column.shape for column in (*whole.values(), *columns)}) != 1:
        raise ValueError("columns of different lengths")
    found = Findings(
        model=described["model"],
        field=described["field"],
        corpus=tuple((name, digest) for name, digest in described["corpus"]),
        tokens=described["tokens"],
        parsed=described["parsed"],
        notes=tuple(described["notes"]),
        layers=tuple(described["layers"]),
        group=described["group"],
        tests=described["tests"],
        figures=torch.stack(columns, dim=1).float(),
        **whole,
    )
    _check(found)
    return found


def _check(found: Findings) -> None:
    """ValueError where a row speaks of what cannot be."""
    known = torch.tensor(found.layers, dtype=torch.long)
    sound = {
        "a layer that was measured": torch.isin(found.layer, known),
        "heads from 0": found.head >= 0,
        "ids from 0": found.splat_id >= 0,
        "a level": (found.level >= 0) & (found.level < len(LEVELS)),
        "numbers that are numbers": ~found.figures.isnan().any(1),
    }
    for what, rows in sound.items():
        if not bool(rows.all()):
            raise ValueError(f"{int((~rows).sum())} of {len(rows)} rows without {what}")


def shipped_findings(model: str, field: str) -> Findings | None:
    """Findings that ship with a model's field; None where none do, or the field is another.

    Raises:
        FieldError: they are damaged.
    """
    path = FOLDER / f"{model}.safetensors"
    if not model.isidentifier() or not path.is_file():
        return None
    found = load_findings(path)
    return found if found.field == field else None


def shipped_labels(model: str, field: ModelField, layer: int, head: int) -> dict[int, str]:
    """What each splat of a query head serves in a few words, by id, where that ships."""
    found = shipped_findings(model, content_key(field))
    if found is None:
        return {}
    return {splat: one.label for splat, one in found.labels(layer, head).items()}
