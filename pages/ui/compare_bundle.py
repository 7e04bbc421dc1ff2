"""The view on Compare as a bundle, and as one page that needs no network."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pages.ui import choices
from pages.ui.compare_view import HeadView

if TYPE_CHECKING:
    from hsa.sharing.view import View


def bundle(view: HeadView, cell: tuple[int, int] | None, *, grid: bool) -> Callable[[], bytes]:
    """What makes the file; called in another thread, which knows no visitor."""
    asked = view.asked
    prompt, chosen = choices.prompt_text(), _parameters()
    shown = view_of(view, cell, grid)

    def make() -> bytes:
        from hsa.sharing.bundle import make_bundle
        from hsa.sharing.bundle_file import written

        made = make_bundle(asked.loaded, asked.ready.field, prompt, shown, "compare", chosen)
        return written(made)

    return make


def view_of(view: HeadView, cell: tuple[int, int] | None, grid: bool) -> View:
    """The engine's words for what is shown."""
    from hsa.sharing.view import View

    query, key = (None, None) if cell is None else cell
    return View(
        view.layer, view.head, view.asked.reads, view.asked.way, view.opening, view.first,
        len(view.shown), query, key, grid,
    )  # fmt: skip


def report(view: HeadView, cell: tuple[int, int] | None) -> Callable[[], bytes]:
    """What makes the page; called in another thread, which knows no visitor."""
    settings = (
        ("model", f"{view.asked.loaded.title} ({view.asked.loaded.fingerprint[:16]})"),
        ("field", view.asked.ready.origin),
        ("reads per query", str(view.asked.reads)),
        ("reads are spent", view.asked.way),
        ("tokens", f"{len(view.strings):,}"),
        *((f"address: {name}", value) for name, value in _parameters()),
    )
    prompt, measure = choices.prompt_text(), choices.MEASURE.value
    scale, hide_first = choices.SCALE.value, choices.HIDE_FIRST.value

    def make() -> bytes:
        from hsa.figures.comparison_report import ComparisonReport, comparison_html
        from hsa.sharing.bundle import versions

        return comparison_html(
            ComparisonReport(
                view.title, prompt, view.strings, view.result, view.framed, view.compared,
                settings, versions(), cell, measure, scale, hide_first,
                view.difference is not None,
            )
        )  # fmt: skip

    return make


def _parameters() -> tuple[tuple[str, str], ...]:
    """The address without the text, which stands beside it as it is, and without the reference,
    which is another text.
    """
    apart = (choices.TEXT.name, choices.REFERENCE.name)
    given = choices.parameters()
    return tuple((name, value) for name, value in given.items() if name not in apart)
