"""HSA Explorer's engine: Hierarchical Splat Attention beside standard attention."""

__version__ = "0.1.0"
