"""A splat by the id that it keeps for life: its row in the field, its node in a prompt's tree."""

from __future__ import annotations

from hsa.errors import FieldError
from hsa.field.layer_field import LayerField
from hsa.field.tree import PromptTree


def splat_row(field: LayerField, group: int, splat_id: int) -> int:
    """The row of a splat among those of one key/value head.

    Raises:
        FieldError: none has this id: it died, or it never was in this head.
    """
    rows = (field.splat_id[group] == splat_id).nonzero().flatten()
    if splat_id < 0 or rows.numel() != 1:
        known = field.splat_id[group]
        known = known[known >= 0]
        raise FieldError(
            "There is no such splat in this head",
            got=f"splat {splat_id}",
            needed=f"one of the {known.numel():,} that live here, ids {int(known.min())} to "
            f"{int(known.max())}",
            attempt="choose another; it died since, or belongs to another layer or head",
        )
    return int(rows[0])


def node_of_row(tree: PromptTree, group: int, row: int) -> int | None:
    """The node of a field's row in the prompt's tree; None if it holds no key of this prompt."""
    nodes = (tree.row[group] == row).nonzero().flatten()
    return int(nodes[0]) if nodes.numel() else None
