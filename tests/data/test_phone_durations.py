import pytest
from hypothesis import given
from hypothesis import strategies as st
from lhotse import CutSet, MonoCut, Recording, SupervisionSegment
from lhotse.supervision import AlignmentItem

from sprachbund.data.phone_durations import measure_durations
from sprachbund.data.phones import PHONE
from sprachbund.errors import DataError
from sprachbund.tokens.phone_durations import Duration


def cut_of(name: str, phones: list[tuple[str, int]]) -> MonoCut:
    """A cut whose phones follow each other, each with its length in steps of 10 ms."""
    ends = [sum(length for _, length in phones[: number + 1]) / 100 for number in range(len(phones))]
    items = [
        AlignmentItem(symbol, round(end - length / 100, 8), length / 100)
        for (symbol, length), end in zip(phones, ends, strict=True)
    ]
    seconds = ends[-1] if ends else 1.0
    said = SupervisionSegment(name, name, 0.0, seconds, alignment={PHONE: items} if items else None)
    recording = Recording(name, [], 16_000, round(seconds * 16_000), seconds)
    return MonoCut(name, 0.0, seconds, 0, recording=recording, supervisions=[said])


@given(st.lists(st.integers(1, 30), min_size=2, max_size=8), st.sampled_from([0.01, 0.02, 0.04]))
def test_durations_are_those_of_the_alignment(lengths: list[int], shift: float) -> None:
    # Called as another aligner would, over several cuts, one of them without an alignment.
    cuts = [cut_of(str(number), [("ah1_B", length), ("sil", 20)]) for number, length in enumerate(lengths)]
    found = measure_durations(CutSet.from_cuts([*cuts, cut_of("bare", [])]), shift)
    assert found.frame_shift == shift
    steps = shift / 0.01
    mean = sum(lengths) / len(lengths)
    spread = (sum((length - mean) ** 2 for length in lengths) / len(lengths)) ** 0.5
    assert found.default.mean == pytest.approx(mean / steps, abs=1e-3)
    assert found.default.std == pytest.approx(spread / steps, abs=1e-3)
    assert dict(found.named)["AH"] == found.default
    assert dict(found.named)["SIL"] == Duration(20 / steps, 0)


def test_speech_without_an_alignment_is_told() -> None:
    with pytest.raises(DataError, match="tokens align"):
        measure_durations(CutSet.from_cuts([cut_of("bare", [])]), 0.01)
