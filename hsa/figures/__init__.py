"""Results as figures and tables; the only room that knows plotly."""
