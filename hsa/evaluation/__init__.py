"""How well HSA stands in for exact attention, and what it costs."""
