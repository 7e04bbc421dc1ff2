"""A page as one HTML file that asks no network: headings, tables, texts and figures.

Everything that is not a figure is escaped here; Plotly escapes what stands in figures. The file
says itself that it may load nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

LOADS_NOTHING = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src data: blob:; connect-src 'none'; form-action 'none'; base-uri 'none'"
)
STYLE = """
body { margin: 2rem auto; max-width: 1500px; padding: 0 1rem; font: 15px/1.5 system-ui, sans-serif;
  color: #1b1f24; background: #fff; }
h1 { font-size: 1.7rem; } h2 { font-size: 1.2rem; margin-top: 2rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: 0.5rem 0 1rem; }
th, td { padding: 2px 10px; border-bottom: 1px solid #d9dee3; text-align: left; white-space: pre; }
td.number { text-align: right; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; background: #f4f6f8; padding: 0.8rem;
  border-radius: 6px; max-height: 24rem; overflow: auto; }
.scroll { max-height: 32rem; overflow: auto; } .figure { overflow-x: auto; }
.note { color: #57606a; }
"""


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it, made by the functions below."""

    heading: str
    parts: tuple[str, ...]


def report_html(title: str, sections: Iterable[Section]) -> bytes:
    """The file."""
    body = [f"<h1>{escape(title)}</h1>"]
    for section in sections:
        body += [f"<h2>{escape(section.heading)}</h2>", *section.parts]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{LOADS_NOTHING}">'
        f"<title>{escape(title)}</title><style>{STYLE}</style>"
        f"<script>{get_plotlyjs()}</script></head><body>\n" + "\n".join(body) + "\n</body></html>"
    ).encode("utf-8", "replace")


def paragraph(text: str, *, note: bool = False) -> str:
    """A text of one paragraph."""
    return f'<p class="{"note" if note else ""}">{escape(text)}</p>'


def verbatim(text: str) -> str:
    """A text as it is, lines and spaces kept."""
    return f'<pre dir="auto">{escape(text)}</pre>'


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Numbers to nine digits, which float32 does not exceed; all else as text."""
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>\n" for row in rows)
    return f'<div class="scroll"><table><tr>{head}</tr>\n{body}</table></div>'


def figure(drawn: go.Figure) -> str:
    """A figure whose camera saves an SVG."""
    html = drawn.to_html(
        full_html=False,
        include_plotlyjs=False,
        config={"displaylogo": False, "toImageButtonOptions": {"format": "svg"}},
    )
    return f'<div class="figure">{html}</div>'


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f'<td class="number">{value:.9g}</td>'
    if isinstance(value, int) and not isinstance(value, bool):
        return f'<td class="number">{value}</td>'
    return f"<td>{escape(str(value))}</td>"
