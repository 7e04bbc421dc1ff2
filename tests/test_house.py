"""Who may import whom: the rooms of CONTRIBUTING.md, held by reading every import."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# The ground floor: single files, and one small room, that every room stands on.
GROUND = {"errors", "hyperparameter", "tokens", "activations", "memory"}
ENGINE = GROUND | {"field", "attention"}

# Room: the rooms of hsa/ that it may import besides itself. Each opens only onto earlier ones.
ROOMS: dict[str, set[str]] = {
    "errors": set(),
    "hyperparameter": {"errors"},
    "tokens": {"errors"},
    "activations": {"errors"},
    "memory": {"errors"},
    "models": GROUND,
    "field": GROUND,
    "attention": GROUND | {"field"},
    "atlas": GROUND | {"field"},
    "adaptation": ENGINE,
    "explanation": ENGINE | {"adaptation"},
    "fitting": ENGINE | {"models", "adaptation"},
    "specialization": ENGINE | {"models", "adaptation", "explanation", "fitting"},
    "inference": ENGINE | {"models"},
    "evaluation": ENGINE
    | {"models", "fitting", "inference", "adaptation", "explanation", "specialization"},
    "sharing": ENGINE | {"models", "adaptation", "explanation", "evaluation", "inference"},
    "figures": ENGINE
    | {"atlas", "adaptation", "explanation", "specialization", "inference", "evaluation"},
}
EVERY_ROOM = set(ROOMS)
ROOMS |= {"commands": EVERY_ROOM, "__main__": {"errors", "commands"}}

# Library: the only places that may import it.
ONLY_IN = {
    "transformers": {"models"},
    "huggingface_hub": {"models"},
    "tokenizers": {"models"},
    "gguf": {"models"},
    "plotly": {"figures"},
    "spacy": {"specialization"},
    "dateparser": {"specialization"},
    "streamlit": {"pages", "app"},
}

# Siblings mean the same thing in different ways, and must not lean on each other.
STRANGERS = [
    {
        "hsa.adaptation.birth",
        "hsa.adaptation.mitosis",
        "hsa.adaptation.merge",
        "hsa.adaptation.death",
    },
    {"hsa.attention.reference", "hsa.attention.blocked"},
]


def room_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    if parts[0] != "hsa":
        return parts[0]
    return parts[1] if len(parts) > 1 else "hsa"


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def sources() -> list[Path]:
    found = [*(ROOT / "hsa").rglob("*.py"), *(ROOT / "pages").rglob("*.py"), *ROOT.glob("app.py")]
    return sorted(path for path in found if path != ROOT / "hsa" / "__init__.py")


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Every module imported anywhere in the file, and the line; functions included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            package = ".".join(path.relative_to(ROOT).parent.parts[: 1 - node.level or None])
            within = [package] if node.level else []
            module = ".".join(within + ([node.module] if node.module else []))
            yield module, node.lineno
            for alias in node.names:
                yield f"{module}.{alias.name}", node.lineno


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports(path: Path) -> None:
    room = room_of(path)
    inside = path.is_relative_to(ROOT / "hsa")
    assert not inside or room in ROOMS, f"{room} is no room yet: add it to ROOMS and CONTRIBUTING"
    wrong = []
    for name, line in imports(path):
        top, _, rest = name.partition(".")
        other = rest.partition(".")[0]
        if top in ONLY_IN and room not in ONLY_IN[top]:
            wrong.append(f"line {line}: {room} imports {top}; only {ONLY_IN[top]} may")
        if inside and top in ("pages", "app"):
            wrong.append(f"line {line}: the engine imports {name}")
        if inside and top == "hsa" and other in ROOMS and other not in ROOMS[room] | {room}:
            wrong.append(f"line {line}: {room} imports {other}")
        if any({module_of(path), name} <= strangers for strangers in STRANGERS):
            wrong.append(f"line {line}: siblings lean on each other: {name}")
    assert not wrong, "\n".join(wrong)


def test_the_rooms_have_no_cycle() -> None:
    built: set[str] = set()
    waiting = dict(ROOMS)
    while waiting:
        ready = [room for room, doors in waiting.items() if doors <= built]
        assert ready, f"a cycle among {sorted(waiting)}"
        for room in ready:
            built.add(room)
            del waiting[room]


def loaded_by(statement: str) -> set[str]:
    program = f"import sys\n{statement}\nsys.stdout.write(' '.join(sorted(sys.modules)))"
    outcome = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return {name for name in outcome.stdout.split() if "." not in name}


def test_the_engine_is_light() -> None:
    rooms = ("field", "attention", "atlas", "adaptation")
    paths = [path for room in rooms for path in (ROOT / "hsa" / room).rglob("*.py")]
    assert {room_of(path) for path in paths} == set(rooms)
    loaded = loaded_by(f"import {', '.join(map(module_of, paths))}")
    assert not loaded & {"transformers", "plotly", "streamlit"}


def test_what_pages_show_first_loads_no_torch() -> None:
    light = "import hsa.errors, hsa.tokens, hsa.models.catalog, hsa.models.program, hsa.__main__"
    assert not loaded_by(light) & {"torch", "transformers", "plotly", "numpy", "pandas"}


def test_importing_changes_nothing_outside() -> None:
    """Registration with transformers happens on loading a model, not on import."""
    program = (
        "from transformers import AttentionInterface\n"
        "import hsa.models.loading, hsa.models.substitution\n"
        "assert 'hsa' not in AttentionInterface().valid_keys()"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)
