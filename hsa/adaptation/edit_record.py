"""Edits in a record of a log: names and numbers in its header, tensors in its body.

Accepted edits stand there with the tensors that they put; of those rolled back, what they
touched and why.
"""

from __future__ import annotations

import torch
from torch import Tensor

from hsa.adaptation.edit import Edit
from hsa.adaptation.moves import Moves
from hsa.adaptation.packed import Packing, Unpacking
from hsa.adaptation.splats import SPREAD_STEP, Splats


def described(edit: Edit, accepted: bool, body: Packing) -> dict:
    """What the header says of an edit; its tensors go to the body."""
    header: dict = {
        "kind": edit.kind, "level": edit.level, "removed": edit.removed,
        "put": edit.put.splat_id.tolist(), "adopted": edit.adopted,
        "shift": edit.shift, "evidence": round(edit.evidence, 6),
        "threshold": round(edit.threshold, 6),
    }  # fmt: skip
    if accepted:
        header["dim"] = edit.put.position.shape[1]
        _pack_put(edit.put, body)
        if (moved := edit.moved) is not None:
            header["moved"] = [moved.splat_id.numel(), moved.width_step, moved.share_step,
                               moved.evened]  # fmt: skip
            _pack_moved(moved, body)
    return header


def edit_of(header: dict, accepted: bool, body: Unpacking) -> Edit:
    """An edit, read."""
    ids = torch.tensor(header["put"], dtype=torch.long)
    moved = None
    if accepted:
        put = _put_of(ids, header["dim"], body)
        if told := header.get("moved"):
            moved = _moved_of(told, header["dim"], body)
    else:
        none = torch.zeros(len(ids), 0)
        put = Splats(ids, torch.zeros_like(ids), none, none, torch.zeros(len(ids)))
    return Edit(
        kind=header["kind"], level=header["level"], removed=tuple(header["removed"]), put=put,
        moved=moved, adopted=tuple((child, to) for child, to in header["adopted"]),
        shift=header["shift"], heirs=_heirs(header), evidence=header["evidence"],
        threshold=header["threshold"],
    )  # fmt: skip


def _heirs(header: dict) -> tuple[tuple[int, int, float], ...]:
    """Whose evidence goes to whom: the two of a mitosis share it, a merge adds it up."""
    share = 1 / max(len(header["put"]), 1)
    return tuple((old, new, share) for old in header["removed"] for new in header["put"])


def _pack_put(put: Splats, body: Packing) -> None:
    assert put.step is not None, "what an edit puts is rounded first"
    place = (put.position / put.step.unsqueeze(1)).round().short()
    body.put(
        parent=put.parent_id.int(), amplitude=put.log_amplitude, step=put.step.half(),
        place_low=(place & 255).to(torch.uint8), place_high=(place >> 8).to(torch.int8),
        spread=(put.log_spread / SPREAD_STEP).round().to(torch.int8),
    )  # fmt: skip


def _put_of(ids: Tensor, dim: int, body: Unpacking) -> Splats:
    many = ids.numel()
    step = body.take("step", torch.float16, many).float()
    low = body.take("place_low", torch.uint8, many, dim).float()
    high = body.take("place_high", torch.int8, many, dim).float()
    return Splats(
        splat_id=ids,
        parent_id=body.take("parent", torch.int32, many).long(),
        position=step.unsqueeze(1) * (256 * high + low),
        log_spread=SPREAD_STEP * body.take("spread", torch.int8, many, dim).float(),
        log_amplitude=body.take("amplitude", torch.float32, many),
        step=step,
    )


def _pack_moved(moved: Moves, body: Packing) -> None:
    ids = moved.splat_id
    body.put(
        moved=ids.diff(prepend=ids.new_zeros(1)).int(), moved_step=moved.step.half(),
        code=moved.code, widened=moved.widened, weighed=moved.weighed,
    )  # fmt: skip


def _moved_of(told: list, dim: int, body: Unpacking) -> Moves:
    count, width_step, share_step, evened = told
    return Moves(
        splat_id=body.take("moved", torch.int32, count).cumsum(0),
        code=body.take("code", torch.int8, count, dim),
        step=body.take("moved_step", torch.float16, count).float(),
        widened=body.take("widened", torch.int8, count, dim),
        width_step=width_step,
        weighed=body.take("weighed", torch.int8, count),
        share_step=share_step,
        evened=evened,
    )
