"""What the splats of the case's field serve, where it has been measured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hsa.errors import FieldError
from pages.ui import engine, refusals
from pages.ui.waiting import Progress

if TYPE_CHECKING:
    from hsa.models.loaded import LoadedModel
    from hsa.specialization.findings import Findings

REFERENCE = Path(__file__).resolve().parents[2] / "assets" / "reference"
TOKENS = 11_000


def findings(loaded: LoadedModel, ready: engine.ReadyField, layer: int) -> Findings | None:
    """What was measured of a layer of this field: here, or shipped; None if neither.

    Raises:
        FieldError: the findings that ship are damaged.
    """
    measured = engine.kept_before(_measured(ready, layer))
    if measured is not None:
        return measured
    key = ("findings", loaded.name, ready.identity)

    def make() -> tuple[Findings | None]:
        from hsa.specialization.findings_file import shipped_findings

        return (shipped_findings(loaded.name, ready.identity),)

    (shipped,) = engine.kept(key, "Reading findings", make)
    return shipped


def known(
    loaded: LoadedModel, ready: engine.ReadyField, layer: int, *, say: bool = True
) -> Findings | None:  # fmt: skip
    """The same for pages that can do without: what is damaged is said, and left out.

    Args:
        say: False where the page has said it already.
    """
    try:
        return findings(loaded, ready, layer)
    except FieldError as refusal:
        if say:
            refusals.show_without(
                refusal, "What splats serve is missing here; all else on this page holds."
            )
        return None


def labels(loaded: LoadedModel, ready: engine.ReadyField, layer: int, head: int) -> dict[int, str]:
    """What each splat of a head serves in a few words, by id; nothing where it is not known."""
    found = known(loaded, ready, layer)
    if found is None:
        return {}
    return {splat: one.label for splat, one in found.labels(layer, head).items()}


def measure(
    loaded: LoadedModel, ready: engine.ReadyField, layer: int, progress: Progress
) -> Findings:
    """Measure a layer on the reference texts, for all visitors of this field.

    Raises:
        InputError: the tokenizer does not tell where its tokens stand.
    """

    def make() -> Findings:
        import hashlib

        from hsa.specialization.corpus import corpus
        from hsa.specialization.specialise import specialise

        texts = reference_texts()
        read = corpus(loaded, [text for _, text in texts], TOKENS, progress=progress)
        sources = [(name, hashlib.sha256(text.encode()).hexdigest()) for name, text in texts]
        return specialise(loaded, ready.field, read, sources, [layer], progress)

    return engine.kept(_measured(ready, layer), "Measuring what splats serve", make)


def reference_texts() -> list[tuple[str, str]]:
    """Name and content of each text that comes with the app for reference."""
    return [(path.stem, path.read_text("utf-8")) for path in sorted(REFERENCE.glob("*.txt"))]


def _measured(ready: engine.ReadyField, layer: int) -> tuple:
    return ("findings measured here", ready.identity, layer)
