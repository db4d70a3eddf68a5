from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprachbund.data.checking.items import Item, Part
from sprachbund.data.checking.overlap import HeldOutSounds, Ids
from sprachbund.data.checking.sounds import Sound
from sprachbund.data.storage.waveforms import TOLERANCE_SECONDS


def item(identity: str = "a", recording: str = "a.wav", start: float = 0.0, duration: float = 1.0) -> Item:
    parts = (Part(recording, start, start + duration),)
    return Item(Path("m"), 1, identity, duration, parts, None, ("text",), None, None, None)


def test_the_first_cut_keeps_its_id():
    ids = Ids()
    assert ids.judge(item("a")) is None
    assert ids.judge(item("b")) is None
    copy, other = ids.judge(replace(item("a"), line=7)), ids.judge(replace(item("a"), texts=("another",)))
    assert copy is not None
    assert other is not None
    assert copy.detail.startswith("the same cut is in m, line 1")
    assert other.detail.startswith("another cut")


SOUNDS = {
    "a.wav": Sound(16000, 1, 16000, "one"),
    "copy.flac": Sound(16000, 1, 16000, "one"),
    "b.wav": Sound(16000, 1, 16000, "two"),
    "headers only.wav": Sound(16000, 1, 16000),
}


@pytest.mark.parametrize(
    ("held_out", "trained", "is_shared"),
    [
        ("a.wav", "a.wav", True),
        ("a.wav", "copy.flac", True),
        ("a.wav", "b.wav", False),
        ("headers only.wav", "headers only.wav", True),
        ("headers only.wav", "a.wav", False),
    ],
)
def test_recordings_are_the_same_by_file_or_by_samples(held_out: str, trained: str, is_shared: bool):
    fault = HeldOutSounds([item("h", held_out)], SOUNDS).judge(item("t", trained))
    assert (fault is not None) == is_shared
    assert fault is None or " with h (m, line 1)" in fault.detail


TIMES = st.integers(0, 40).map(lambda number: number / 16)
LENGTHS = st.integers(1, 40).map(lambda number: number / 16)


@given(TIMES, LENGTHS, TIMES, LENGTHS)
def test_cuts_of_one_recording_overlap_where_their_times_do(start: float, length: float, other: float, rest: float):
    held_out, trained = item("h", start=start, duration=length), item("t", start=other, duration=rest)
    shared = min(start + length, other + rest) - max(start, other)
    assert (HeldOutSounds([held_out], SOUNDS).judge(trained) is not None) == (shared > 0)


def test_neighbours_may_touch_by_a_little():
    sounds = HeldOutSounds([item("h", duration=1.0)], SOUNDS)
    assert sounds.judge(item("t", start=1.0 - TOLERANCE_SECONDS / 2)) is None
    assert sounds.judge(item("t", start=1.0 - TOLERANCE_SECONDS * 2)) is not None
    # A cut shorter than that may not hide in it.
    assert sounds.judge(item("t", start=0.5, duration=TOLERANCE_SECONDS / 2)) is not None


def test_one_part_of_a_mixture_is_enough():
    mixture = replace(item("t"), parts=(Part("b.wav"), Part("copy.flac", 0.5, 0.6)))
    assert HeldOutSounds([item("h")], SOUNDS).judge(mixture) is not None
    assert HeldOutSounds([mixture], SOUNDS).judge(item("t", "b.wav")) is not None
    assert HeldOutSounds([item("h", start=0.6)], SOUNDS).judge(mixture) is None
    assert HeldOutSounds([item("h")], SOUNDS).judge(replace(mixture, parts=())) is None
