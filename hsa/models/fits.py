"""Whether a text fits into memory, asked before a model reads it."""

from __future__ import annotations

from hsa.memory.available import available_bytes, available_device_bytes
from hsa.memory.needed import BlockedShape, ModelShape, check_fits, forward_bytes, most_that_fits
from hsa.models.loaded import LoadedModel

# Names of the width between the two halves of a feed-forward part, by family.
INTERMEDIATE = ("intermediate_size", "n_inner", "ffn_dim", "hidden_dim")


def model_shape(loaded: LoadedModel) -> ModelShape:
    """What the memory of a pass of this model depends on."""
    config = loaded.model.config
    widths = [getattr(config, name, None) for name in INTERMEDIATE]
    known = [width for width in widths if isinstance(width, int)]
    return ModelShape(
        layers=loaded.layers,
        hidden=config.hidden_size,
        intermediate=known[0] if known else 4 * config.hidden_size,
        query_heads=loaded.query_heads,
        key_value_heads=loaded.key_value_heads,
        head_dim=loaded.head_dim,
        vocabulary=config.vocab_size,
        number_bytes=loaded.model.dtype.itemsize,
    )


def check_text(
    loaded: LoadedModel,
    tokens: int,
    *,
    texts: int = 1,
    logits: float = 0,
    written: int = 0,
    kept_layers: int = 0,
    keeps_cache: bool = False,
    blocked: BlockedShape | None = None,
) -> None:
    """Refuse a text whose reading would not fit into what memory is left.

    Args:
        tokens: of the longest text; `texts` of them are read at once.
        logits: how many copies of every token's logits will be held; 0: of the last token alone.
        written: tokens that will follow it.
        kept_layers: layers whose queries, keys and values are kept.
        keeps_cache: keys and values of every layer are kept.
        blocked: attention is blocked HSA of this shape.

    Raises:
        InputError: with the estimate, what is left, and the longest text that would fit.
    """
    shape = model_shape(loaded)
    heads = shape.query_heads + 2 * shape.key_value_heads

    def needed(count: int) -> int:
        every = texts * (count + written)
        rows = round(logits * texts * count) or texts
        captured = kept_layers * every * heads * shape.head_dim * shape.number_bytes
        return forward_bytes(shape, every, rows, keeps_cache, blocked) + captured

    device = loaded.model.device
    left = available_device_bytes(device) if device.type == "cuda" else available_bytes()
    estimate = needed(tokens)
    if estimate <= left:
        return
    most = most_that_fits(needed, tokens, left)
    attempt = f"a text of at most {most:,} tokens" if most else "a machine with more memory"
    what = f"A text of {tokens:,} tokens in {loaded.title}"
    if texts > 1:
        what = f"{texts} texts of up to {tokens:,} tokens in {loaded.title}"
    check_fits(estimate, what, attempt, left)
