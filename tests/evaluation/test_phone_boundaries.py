import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from lhotse import CutSet, MonoCut, Recording, SupervisionSegment
from lhotse.supervision import AlignmentItem

from sprachbund.errors import DataError
from sprachbund.evaluation.phone_boundaries import boundary_errors

Phones = list[tuple[str, int, int]]  # with times in milliseconds


def cut_of(phones: Phones, name: str = "c") -> MonoCut:
    items = [AlignmentItem(symbol, start / 1000, round((end - start) / 1000, 8)) for symbol, start, end in phones]
    said = SupervisionSegment(name, name, 0.0, 100.0, alignment={"phone": items})
    recording = Recording(name, [], 16_000, 1_600_000, 100.0)
    return MonoCut(name, 0.0, 100.0, 0, recording=recording, supervisions=[said])


def cuts_of(*phones: Phones) -> CutSet:
    return CutSet.from_cuts(cut_of(one, str(number)) for number, one in enumerate(phones))


def in_a_row(lengths: list[int], symbols: list[str]) -> Phones:
    ends = [sum(lengths[: number + 1]) for number in range(len(lengths))]
    return [(symbol, end - length, end) for symbol, length, end in zip(symbols, lengths, ends, strict=False)]


drawn = st.lists(st.integers(10, 300), min_size=2, max_size=9).flatmap(
    lambda lengths: st.lists(
        st.sampled_from(["AA", "B", "SIL", "S"]), min_size=len(lengths), max_size=len(lengths)
    ).map(lambda symbols: in_a_row(lengths, symbols))
)


@given(drawn, st.integers(-50, 50))
def test_what_is_moved_as_a_whole_is_off_by_so_much(phones: Phones, shift: int) -> None:
    assume(any(symbol != "SIL" for symbol, _, _ in phones))
    true = [(symbol, start + 100, end + 100) for symbol, start, end in phones]
    found = boundary_errors(cuts_of(true), cuts_of([(name, start + shift, end + shift) for name, start, end in true]))
    assert found.median_ms == pytest.approx(abs(shift))
    assert found.mean_ms == pytest.approx(abs(shift))
    assert found.bias_ms == pytest.approx(shift)
    assert (found.within_20, found.within_40) == (float(abs(shift) <= 20), float(abs(shift) <= 40))
    assert found.matched_phones == found.true_phones == sum(symbol != "SIL" for symbol, _, _ in phones)


def test_boundaries_between_matched_neighbours_count_once() -> None:
    true = [("AA", 0, 100), ("B", 100, 200), ("S", 200, 300)]
    found = boundary_errors(cuts_of(true), cuts_of([("AA", 0, 130), ("B", 130, 200), ("S", 200, 360)]))
    assert found.boundaries == 4
    assert found.mean_ms == pytest.approx((0 + 30 + 0 + 60) / 4)
    # A silence in between makes two boundaries of one.
    parted = [("AA", 0, 90), ("SIL", 90, 120), ("B", 120, 200), ("S", 200, 300)]
    assert boundary_errors(cuts_of(true), cuts_of(parted)).boundaries == 5


def test_only_equal_phones_are_compared() -> None:
    true = [("AA", 0, 100), ("B", 100, 200), ("S", 200, 300)]
    found = boundary_errors(cuts_of(true), cuts_of([("AA0_B", 0, 100), ("P_I", 100, 250), ("s", 250, 300)]))
    assert (found.matched_phones, found.true_phones) == (2, 3)
    assert found.boundaries == 4
    assert found.mean_ms == pytest.approx(50 / 4)


def test_cuts_are_told_apart_and_missing_ones_counted() -> None:
    true = cuts_of([("AA", 0, 100)], [("AA", 50, 150)], [("B", 0, 10)])
    found = boundary_errors(true, CutSet.from_cuts([cut_of([("AA", 50, 150)], "1"), cut_of([("AA", 0, 100)], "0")]))
    assert found.mean_ms == 0
    assert (found.unaligned, found.true_phones, found.boundaries) == (1, 3, 4)


def test_nothing_in_common_is_told() -> None:
    with pytest.raises(DataError, match="no phone of the alignment"):
        boundary_errors(cuts_of([("AA", 0, 100)]), cuts_of([("B", 0, 100)]))
