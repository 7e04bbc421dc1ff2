"""How much memory a forward pass will need, and a refusal before it starts rather than a crash.

Measured peak of one pass of SmolLM2 in float32 on one thread and its estimate, in megabytes, by
`python tests/memory/forward_peak.py TOKENS logits|last|cache|blocked`:

    tokens   all logits   last logits alone   keys and values kept   one layer of blocked HSA
       256     50   62        3.3   11.9            12.5   33.1
      1024    213  248       39.3   46.9           105    132              49.6   59.8
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hsa.errors import InputError
from hsa.memory.available import available_bytes

HEAP = 1.8
"""Resident bytes per byte in use. glibc keeps freed pieces below 32 MB on its heap, which then
stands 1.05 to 1.8 times as high; with `MALLOC_MMAP_THRESHOLD_=65536` it is 1.0."""

FLOAT_BYTES = 4
ROUTED_AT_ONCE = 512
"""Keys that are compared with every splat at a time (`hsa.field.routing.route`)."""

OPENING = 16
"""Numbers per splat that a query which opens for itself holds while it chooses, measured."""


@dataclass(frozen=True)
class ModelShape:
    """What the memory of a transformer depends on; `number_bytes` is 4 in float32."""

    layers: int
    hidden: int
    intermediate: int
    query_heads: int
    key_value_heads: int
    head_dim: int
    vocabulary: int
    number_bytes: int = FLOAT_BYTES


@dataclass(frozen=True)
class BlockedShape:
    """What the memory of blocked HSA depends on; the defaults are those of `BlockPlan`.

    Attributes:
        splats: of a key/value head's field.
        block, chunk: queries in a block, blocks computed at once.
        closed, opened: closed splats and far tokens that a block may read.
        alone: query heads of a layer whose queries open for themselves.
        causal: one way; read both ways, a block has three near ones and sums come from behind.
    """

    splats: int
    block: int = 128
    chunk: int = 4
    closed: int = 224
    opened: int = 256
    alone: int = 0
    causal: bool = True


def forward_bytes(
    shape: ModelShape,
    tokens: int,
    logit_rows: int | None = None,
    keeps_cache: bool = False,
    blocked: BlockedShape | None = None,
) -> int:
    """Peak bytes above those of the loaded model, for one text without gradients.

    Args:
        logit_rows: tokens whose logits are asked for; all of them when None.
        keeps_cache: keys and values of every layer stay, as decoding needs them.
        blocked: attention is blocked HSA of this shape rather than exact and fused.
    """
    rows = tokens if logit_rows is None else logit_rows
    held = activation_bytes(shape, tokens)
    if keeps_cache:
        held += cache_bytes(shape, tokens)
    if blocked is not None:
        held += blocked_bytes(shape, tokens, blocked) + stacked_bytes(shape, blocked.splats)
    return round(HEAP * held) + logit_bytes(shape, rows)


def activation_bytes(shape: ModelShape, tokens: int) -> int:
    """One layer at its widest: attention's rotated heads or the gated feed-forward part."""
    heads = shape.query_heads + shape.key_value_heads
    attention = 2 * shape.hidden + (4 * shape.query_heads + 4 * heads) * shape.head_dim // 2
    feed_forward = 3 * shape.hidden + 3 * shape.intermediate
    return tokens * shape.number_bytes * max(attention, feed_forward)


def logit_bytes(shape: ModelShape, rows: int) -> int:
    """Float32 logits of so many tokens over the whole vocabulary."""
    return rows * shape.vocabulary * FLOAT_BYTES


def cache_bytes(shape: ModelShape, tokens: int) -> int:
    """Keys and values of every layer."""
    row = 2 * shape.layers * shape.key_value_heads * shape.head_dim
    return tokens * row * shape.number_bytes


def stacked_bytes(shape: ModelShape, splats: int) -> int:
    """Every layer's splats and frames, stacked as attention reads them, in float32."""
    splat = 2 * shape.head_dim + 7  # position and spread; amplitude, and three 64-bit numbers
    head = splats * splat + shape.head_dim**2
    return FLOAT_BYTES * shape.layers * shape.key_value_heads * head


def blocked_bytes(shape: ModelShape, tokens: int, plan: BlockedShape) -> int:
    """One layer of blocked HSA, in float32: the text in its frame, and one chunk of blocks.

    Of the text stand queries, y and outputs, and keys, scaled keys, x and values; of a chunk the
    sums and moments of all splats, and the larger of what its stages hold one after another.
    """
    dim, heads, groups = shape.head_dim, shape.query_heads, shape.key_value_heads
    read = (2 if plan.causal else 3) * plan.block + plan.opened
    text = tokens * dim * (3 * heads + 4 * groups)
    splat_sums = groups * plan.splats * (3 * dim + 2)
    sums = 2 * plan.chunk * splat_sums
    if not plan.causal:
        sums += plan.chunk * splat_sums + tokens // (plan.block * plan.chunk) * splat_sums
    gathered = 4 * groups * read * dim + 2 * heads * plan.closed * dim
    logits = heads * plan.block * (read + plan.closed + 3 * dim)
    shared = plan.chunk * (gathered + logits) + 2 * ROUTED_AT_ONCE * groups * plan.splats
    queries = plan.alone * plan.chunk * plan.block
    choosing = OPENING * queries * plan.splats
    answering = 3 * queries * plan.splats + 2 * queries * tokens + 2 * plan.alone * tokens * dim
    return FLOAT_BYTES * (text + sums + max(shared, choosing, answering))


def reference_bytes(
    groups: int, heads: int, dim: int, tokens: int, queries: int, nodes: int, at_once: int
) -> int:
    """HSA of one layer as the reference computes it, by blocks of queries.

    The layer in its field's frame, the moments of one block, its rows over all tokens in their
    stages, and every query's cut. Measured on SmolLM2's layer 15, in megabytes, and estimated:
    one head of 2,048 tokens 18 (22), the last 2,048 queries of 4,096 tokens 29 (36); nine heads
    of 512 tokens 27 (38).

    Args:
        heads: of all groups.
        nodes: of the prompt's tree.
        at_once: queries in a block.
    """
    layer = FLOAT_BYTES * tokens * dim * (2 * heads + 5 * groups)
    moments = 6 * groups * nodes * dim * dim
    rows = 40 * heads * min(at_once, queries) * tokens
    cuts = 14 * heads * queries * nodes
    return layer + moments + rows + cuts


def dense_bytes(queries: int, tokens: int) -> int:
    """Both attentions of one head as dense rows, and their copy in the order of the text.

    Measured 83 MB of 84 at 2,048 tokens, 166 of 168 for 2,048 queries of 4,096.
    """
    return 5 * FLOAT_BYTES * queries * tokens


def most_that_fits(needed: Callable[[int], int], tokens: int, left: int) -> int:
    """The most tokens below `tokens` whose need, which grows with them, is at most `left`."""
    low, high = 0, tokens
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if needed(middle) <= left else (low, middle)
    return low


def check_fits(needed_bytes: int, what: str, attempt: str, available: int | None = None) -> None:
    """Refuse work that memory is too small for.

    Args:
        what: the work, as the beginning of a sentence.
        available: bytes there are; what this process may still take when None.

    Raises:
        InputError: with the estimate, what is available, and `attempt`.
    """
    left = available_bytes() if available is None else available
    if needed_bytes > left:
        raise InputError(
            f"{what} would not fit into memory",
            got=f"an estimate of {_readable(needed_bytes)}",
            needed=f"at most {_readable(left)}, which is what is left for this process",
            attempt=attempt,
        )


def _readable(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
