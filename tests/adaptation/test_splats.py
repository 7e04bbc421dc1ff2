"""What an edit puts, rounded: near to what it was, and whole numbers of steps."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hsa.adaptation.edit import Edit
from hsa.adaptation.edit_record import described, edit_of
from hsa.adaptation.packed import Packing, Unpacking
from hsa.adaptation.splats import MOST_STEPS, PLACE_STEPS, SPREAD_STEP, Splats, no_splats

DIM = 8


def drawn(seed: int, many: int, wide: float, far: float) -> Splats:
    generator = torch.Generator().manual_seed(seed)
    ids = torch.arange(many)
    return Splats(
        ids, ids - 1, far * torch.randn(many, DIM, generator=generator),
        wide + torch.randn(many, DIM, generator=generator),
        torch.randn(many, generator=generator),
    )  # fmt: skip


@given(
    seed=st.integers(0, 1000), many=st.integers(0, 5), wide=st.sampled_from([-12.0, 0.0, 9.0]),
    far=st.sampled_from([0.0, 1.0, 500.0]),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_rounding_is_near_and_comes_back_bit_for_bit(
    seed: int, many: int, wide: float, far: float
) -> None:
    exact = drawn(seed, many, wide, far)
    put = exact.rounded()
    own = exact.log_spread.exp().mean(1).sqrt()
    reach = exact.position.abs().amax(1)
    step = torch.maximum(own / PLACE_STEPS, reach / MOST_STEPS).unsqueeze(1)
    slack = 0.51 * step + 1e-6 * reach.unsqueeze(1) + 1e-6
    assert bool(((put.position - exact.position).abs() <= slack).all())
    assert bool(((put.log_spread - exact.log_spread).abs() <= SPREAD_STEP / 2 + 1e-6).all())
    assert torch.equal(put.log_amplitude, exact.log_amplitude)
    body = Packing()
    header = described(Edit("birth", 2, (), put), True, body)
    again = edit_of(header, True, Unpacking(body.content(), body.lengths())).put
    for name in ("splat_id", "parent_id", "position", "log_spread", "log_amplitude", "step"):
        mine, read = getattr(put, name), getattr(again, name)
        assert mine.numpy().tobytes() == read.numpy().tobytes(), name


def test_streams_come_back_in_the_order_in_which_each_was_filled() -> None:
    body = Packing()
    body.put(a=torch.arange(3), b=torch.ones(2, 2))
    body.put(b=torch.zeros(1), a=torch.arange(2))
    again = Unpacking(body.content(), body.lengths())
    assert again.take("b", torch.float32, 2, 2).tolist() == [[1, 1], [1, 1]]
    assert again.take("a", torch.int64, 3).tolist() == [0, 1, 2]
    assert again.take("a", torch.int64, 2).tolist() == [0, 1]
    assert again.take("b", torch.float32, 1).tolist() == [0]
    assert again.take("c", torch.float32, 0, 4).shape == (0, 4)


def test_none_at_all_is_rounded_too() -> None:
    assert no_splats(DIM).position.shape == (0, DIM)
