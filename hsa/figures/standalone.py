"""A figure as one HTML file that needs nothing else, not even a network."""

import plotly.graph_objects as go

from hsa.figures.token_label import for_plotly


def standalone_html(figure: go.Figure) -> bytes:
    """The figure with plotly inside; its camera button saves an SVG."""
    return figure.to_html(
        include_plotlyjs=True, config={"toImageButtonOptions": {"format": "svg"}}
    ).encode("utf-8", "replace")


def titled_html(figure: go.Figure, title: str, *, legend: bool = False) -> bytes:
    """With a title, and room for axes, which a page's theme gives otherwise."""
    height = figure.to_dict()["layout"].get("height", 340)
    # The name stands at the top of the file, whatever room an axis on top of the figure takes.
    name = {"text": for_plotly(title), "yref": "container", "y": 1, "yanchor": "top",
            "pad": {"t": 18}}  # fmt: skip
    figure.update_layout(
        title=name, width=1000, height=height + 110, margin={"l": 80, "r": 30, "t": 90, "b": 60},
        showlegend=legend,
    )  # fmt: skip
    figure.update_xaxes(automargin=True)
    figure.update_yaxes(automargin=True)
    return standalone_html(figure)
