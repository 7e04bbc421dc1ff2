"""What is sent to the browser says what the recording said, to 16 bits where it is seen."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hsa.adaptation.recording import Happening
from pages.ui.player import encode
from pages.ui.player.blob import decode, header_of
from pages.ui.player.packing import pack, unpack
from pages.ui.player.quantisation import PLACE_STEPS
from tests.pages.ui.recordings import film

WHOLE = ("splat_id", "level", "born", "died", "frame_splat", "frame_step", "frame_parent")


def test_a_film_comes_back():
    recording = film(steps=15, events=2)
    back = decode(encode(recording))
    assert back.title == recording.title and back.step_names == recording.step_names
    for name in WHOLE:
        assert torch.equal(getattr(back, name), getattr(recording, name)), name
    for name in ("frame_x", "frame_y"):
        was, now = getattr(recording, name), getattr(back, name)
        step = float(was.max() - was.min()) / PLACE_STEPS
        assert torch.allclose(now, was, rtol=0, atol=step * 0.51 + 1e-6), name
    assert torch.allclose(back.frame_share, recording.frame_share, rtol=1e-3)
    for was, now in zip(recording.curves, back.curves, strict=True):
        assert (now.name, now.panel, now.unit) == (was.name, was.panel, was.unit)
        assert torch.equal(now.values, was.values)
    assert len(back.happenings) == len(recording.happenings) > 0
    for was, now in zip(recording.happenings, back.happenings, strict=True):
        numbers = {
            name: float(np.float32(getattr(was, name)))
            for name in ("evidence", "threshold", "error_before", "error_after")
        }
        assert now == replace(was, **numbers)


def test_shares_of_zero_and_of_every_size_come_back():
    recording = film()
    share = torch.logspace(-9, 0, len(recording.frame_share))
    share[::7] = 0.0
    back = decode(encode(replace(recording, frame_share=share))).frame_share
    assert ((back == 0) == (share == 0)).all()
    assert torch.allclose(back, share, rtol=2e-3, atol=0)


def test_events_are_put_in_order_of_their_steps():
    recording = film()
    mixed = replace(recording, happenings=recording.happenings[::-1])
    steps = [happening.step for happening in decode(encode(mixed)).happenings]
    assert steps == sorted(steps)


def test_what_was_not_measured_stays_so():
    recording = film()
    first = replace(recording.happenings[0], error_before=math.nan, threshold=math.inf)
    curve = replace(
        recording.curves[0], values=torch.full_like(recording.curves[0].values, torch.nan)
    )
    back = decode(encode(replace(recording, happenings=(first,), curves=(curve,))))
    assert math.isnan(back.happenings[0].error_before)
    assert back.happenings[0].threshold == math.inf
    assert back.curves[0].values.isnan().all()


@pytest.mark.parametrize(
    "recording",
    [
        film(steps=1),
        film((0, 0, 1), 1),
        film((0, 3, 12)),
        replace(film(), happenings=(), curves=()),
    ],
    ids=["one step", "one splat", "no Documents", "no events or curves"],
)
def test_small_films_come_back(recording):
    back = decode(encode(recording))
    assert torch.equal(back.level, recording.level)
    assert len(back.happenings) == len(recording.happenings)
    assert len(back.curves) == len(recording.curves)


def test_a_film_of_many_steps_stays_small():
    recording = film((8, 60, 430), 200, events=2, drifting=48)
    blob = encode(recording)
    assert len(recording.frame_splat) > 10_000
    assert len(blob) < 16 * len(recording.frame_splat)


@settings(max_examples=30, deadline=None)
@given(names=st.lists(st.text(st.characters(), max_size=8), min_size=1, max_size=6))
def test_any_name_arrives_whole(names):
    names = [*names, "\ud83d", "\x00", "</script><img src=x onerror=alert(1)>", "שלום"]
    recording = film(steps=len(names), names=names, title=names[0])
    curve = replace(recording.curves[0], name=names[-1], panel=names[-2], unit=names[-3])
    back = decode(encode(replace(recording, curves=(curve,))))
    assert back.step_names == tuple(names) and back.title == names[0]
    assert (back.curves[0].name, back.curves[0].panel, back.curves[0].unit) == (
        names[-1], names[-2], names[-3],
    )  # fmt: skip


def test_equal_films_give_equal_bytes_and_another_number_does_not():
    recording = film()
    assert encode(recording) == encode(film())
    moved = replace(recording, frame_x=recording.frame_x.flip(0))
    assert header_of(encode(moved))["digest"] != header_of(encode(recording))["digest"]


@settings(max_examples=60, deadline=None)
@given(values=st.lists(st.integers(0, 2**16 - 1), max_size=20), wide=st.booleans())
def test_differences_wrap_around(values, wide):
    given_ones = {
        "u": np.array(values, np.uint16),
        "i": np.array(values, np.int32) * (-30_000 if wide else 1),
        "b": (np.array(values, np.uint16) % 256).astype(np.uint8),
        "f": np.array(values, np.float32),
    }
    back = unpack(*pack(given_ones))
    for name, array in given_ones.items():
        assert back[name].dtype == array.dtype and np.array_equal(back[name], array), name


def test_refusals():
    recording = film()
    none = torch.zeros(0, dtype=torch.long)
    stray = Happening(1, "birth", 2, (), (10_000,), True, 1, 1, 1, 1)
    refused = {
        "at least 1 splat": {"splat_id": none},
        "at least 1 splat and 1 step": {"step_names": ()},
        "level has": {"level": recording.level[:-1]},
        "frame_x has": {"frame_x": recording.frame_x[:-1]},
        "must differ": {"splat_id": torch.zeros_like(recording.splat_id)},
        "levels go from": {"level": recording.level + 1},
        "sorted by splat": {"frame_splat": recording.frame_splat.flip(0)},
        "no keyframe at the step": {"born": recording.born + 1},
        "not finite": {"frame_y": recording.frame_y * math.nan},
        "values for 12 steps": {"curves": (replace(recording.curves[0], values=torch.zeros(3)),)},
        "by number": {"happenings": (stray,)},
    }
    for words, change in refused.items():
        with pytest.raises(ValueError, match=words):
            encode(replace(recording, **change))
