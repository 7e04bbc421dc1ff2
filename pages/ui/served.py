"""What the splats of the case's field serve, where it has been measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pages.ui import engine

if TYPE_CHECKING:
    from hsa.models.loaded import LoadedModel
    from hsa.specialization.findings import Findings


def findings(loaded: LoadedModel, ready: engine.ReadyField) -> Findings | None:
    """What was measured of this field; None where nothing was.

    Raises:
        FieldError: the findings that ship are damaged.
    """
    key = ("findings", loaded.name, ready.identity)

    def make() -> tuple[Findings | None]:
        from hsa.specialization.findings_file import shipped_findings

        return (shipped_findings(loaded.name, ready.identity),)

    return engine.kept(key, "Reading findings", make)[0]


def labels(loaded: LoadedModel, ready: engine.ReadyField, layer: int, head: int) -> dict[int, str]:
    """What each splat of a head serves in a few words, by id; nothing where it is not known."""
    found = findings(loaded, ready)
    if found is None:
        return {}
    return {splat: one.label for splat, one in found.labels(layer, head).items()}
