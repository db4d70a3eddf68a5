import math

from hypothesis import given
from hypothesis import strategies as st
from lhotse import MonoCut, Recording, SupervisionSegment
from lhotse.supervision import AlignmentItem

from sprachbund.data.phones import (
    ALIGNMENT_START,
    PHONE,
    WORD,
    is_aligned,
    items_of,
    phones_of_labels,
)
from sprachbund.tokens.phones import SILENCE

SYMBOLS = ("AA", "B", SILENCE, "Z")


def aligned(lengths: list[int], *, start: float = 0.0, noted: bool = True, spare: int = 0) -> MonoCut:
    """A cut of steps of 10 ms; phone n has `lengths[n]` of them, and `spare` ones follow without a phone."""
    times = [sum(lengths[:number]) / 100 for number in range(len(lengths) + 1)]
    items = [
        AlignmentItem(SYMBOLS[number % 4], round(times[number], 8), length / 100)
        for number, length in enumerate(lengths)
    ]
    seconds = times[-1] + spare / 100
    custom = {ALIGNMENT_START: 0.0} if noted else None
    said = SupervisionSegment("s", "r", 0.0, seconds, alignment={PHONE: items, WORD: items[:1]}, custom=custom)
    recording = Recording("r", [], 16_000, round((start + seconds) * 16_000), start + seconds)
    return MonoCut("c", start, seconds, 0, recording=recording, supervisions=[said])


def expected(lengths: list[int], spare: int) -> list[str | None]:
    """The phone of every step of 10 ms."""
    steps: list[str | None] = [SYMBOLS[n % 4] for n, length in enumerate(lengths) for _ in range(length)]
    return steps + [None] * spare


@given(st.lists(st.integers(1, 30), min_size=1, max_size=12), st.integers(0, 5), st.sampled_from([0.0, 1.7]))
def test_labels_of_10_ms_have_their_phone(lengths: list[int], spare: int, start: float) -> None:
    cut = aligned(lengths, start=start, spare=spare)
    steps = expected(lengths, spare)
    assert phones_of_labels(cut, len(steps) + 2, 0.01) == [*steps, None, None]


@given(st.lists(st.integers(1, 30), min_size=1, max_size=12), st.integers(0, 5))
def test_labels_of_20_ms_have_the_phone_in_their_middle(lengths: list[int], spare: int) -> None:
    steps = expected(lengths, spare)
    count = len(steps) // 2
    assert phones_of_labels(aligned(lengths, spare=spare), count, 0.02) == steps[1::2][:count]


@given(st.lists(st.integers(1, 30), min_size=2, max_size=12), st.data())
def test_a_part_of_a_cut_has_the_part_of_its_phones(lengths: list[int], data: st.DataObject) -> None:
    steps = expected(lengths, 0)
    first = data.draw(st.integers(0, len(steps) - 1))
    last = data.draw(st.integers(first + 1, len(steps)))
    part = aligned(lengths).truncate(offset=first / 100, duration=(last - first) / 100)
    if last - first > 1:  # and so of a part of the part
        part, first = part.truncate(offset=0.01), first + 1
    assert phones_of_labels(part, last - first, 0.01) == steps[first:last]
    items = items_of(part, PHONE)
    assert math.isclose(sum(item.duration for item in items), (last - first) / 100, abs_tol=1e-6)
    assert all(item.start >= 0 and item.end <= part.duration + 1e-6 for item in items)


def test_an_alignment_from_elsewhere_is_taken_as_it_is() -> None:
    cut = aligned([10, 10], noted=False)
    assert phones_of_labels(cut, 20, 0.01) == ["AA"] * 10 + ["B"] * 10
    assert [item.symbol for item in items_of(cut, WORD)] == ["AA"]


def test_without_an_alignment_there_are_no_phones() -> None:
    cut = aligned([5])
    bare = MonoCut("c", 0.0, 0.05, 0, recording=cut.recording)
    assert is_aligned(cut)
    assert not is_aligned(bare)
    assert phones_of_labels(bare, 5, 0.01) == [None] * 5
