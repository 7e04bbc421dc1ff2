"""A figure as one HTML file that needs nothing else, not even a network."""

import plotly.graph_objects as go


def standalone_html(figure: go.Figure) -> bytes:
    """The figure with plotly inside; its camera button saves an SVG."""
    return figure.to_html(
        include_plotlyjs=True, config={"toImageButtonOptions": {"format": "svg"}}
    ).encode()
