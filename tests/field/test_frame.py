"""The query metric."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hsa.field.frame import frame_of, into_frame


@given(seed=st.integers(0, 10_000), dim=st.integers(1, 24), stretch=st.floats(0, 3))
@settings(max_examples=20, deadline=None, derandomize=True)
def test_products_are_kept(seed: int, dim: int, stretch: float) -> None:
    """y·x = scaling · q·k, even where queries hardly look along some directions."""
    generator = torch.Generator().manual_seed(seed)
    widths = 10 ** (stretch * (torch.rand(dim, generator=generator) - 0.5))
    q = torch.randn(2, 3, 5, dim, generator=generator) * widths
    k = torch.randn(2, 7, dim, generator=generator)
    moment = (q.flatten(0, 2).mT @ q.flatten(0, 2)).div(30)
    frame = frame_of(moment).expand(2, dim, dim)
    x, y = into_frame(frame, q, k, 0.25)
    given_products = y.double() @ x.double().unsqueeze(1).mT
    wanted = 0.25 * q.double() @ k.double().unsqueeze(1).mT
    size = y.double().norm(dim=-1).max() * x.double().norm(dim=-1).max()
    assert float((given_products - wanted).abs().max()) < 1e-6 * float(size)


def test_the_frame_is_the_root_of_the_moment() -> None:
    generator = torch.Generator().manual_seed(0)
    root = torch.randn(6, 6, generator=generator)
    moment = root @ root.mT + torch.eye(6)
    frame = frame_of(moment, ridge=0.0)
    assert torch.equal(frame, frame.mT)
    assert torch.allclose(frame @ frame, moment, rtol=1e-4, atol=1e-4)
    assert (torch.linalg.eigvalsh(frame) > 0).all()


def test_distance_is_the_rms_difference_of_logits() -> None:
    generator = torch.Generator().manual_seed(1)
    q = torch.randn(1, 1, 4000, 5, generator=generator) * torch.tensor([3.0, 1, 1, 0.5, 0.2])
    k = torch.randn(1, 2, 5, generator=generator)
    scaled = 0.4 * q[0, 0]
    frame = frame_of(scaled.mT @ scaled / 4000, ridge=0.0).unsqueeze(0)
    x, _ = into_frame(frame, q, k, 0.4)
    differences = scaled @ (k[0, 0] - k[0, 1])
    distance = float((x[0, 0] - x[0, 1]).norm())
    assert abs(distance / float(differences.square().mean().sqrt()) - 1) < 1e-4


def test_directions_without_queries_keep_a_length() -> None:
    frame = frame_of(torch.diag(torch.tensor([1.0, 0.0, 0.0])))
    assert float(torch.linalg.eigvalsh(frame).min()) > 1e-3
    assert torch.linalg.inv(frame).isfinite().all()
