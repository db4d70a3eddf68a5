"""The measure of agreement against written-out loops, laws, and toys that know the phones, or only the time."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from lhotse import CutSet

import analysed
import tiny
from paired_speech import aligned
from sprachbund.data.units import attach_units
from sprachbund.errors import DataError, VocabularyError
from sprachbund.evaluation.analyses.agreement import (
    GROUPS,
    ClipCounts,
    agreeing_frames,
    cosines,
    count_clip,
    measure_agreement,
    summarize,
    unit_length,
)
from sprachbund.evaluation.analyses.clips import PhonedClip
from sprachbund.evaluation.analyses.phone_classes import class_of
from sprachbund.shapes import Array

several = st.lists(analysed.phones, min_size=1, max_size=15)
seeds = st.integers(0, 2**20)
laws = settings(max_examples=25, deadline=None)


def states(count: int, seed: int) -> Array:
    return np.random.default_rng(seed).standard_normal((count, 8)).astype(np.float32)


def counted(frames: list[str | None], units: list[str | None], seed: int = 0) -> tuple[PhonedClip, ClipCounts]:
    clip = analysed.make_clip(frames, units)
    return clip, count_clip(clip, states(len(frames), seed), states(len(units), seed + 1), states(len(units), seed + 2))


@laws
@given(several, several, seeds)
def test_counts_are_those_of_loops(frames: list[str | None], units: list[str | None], seed: int) -> None:
    _, counts = counted(frames, units, seed)
    speech, text = states(len(frames), seed), states(len(units), seed + 1)
    judged, agreeing, expected = Counter[str](), Counter[str](), Counter[str]()
    for place, phone in enumerate(frames):
        if phone is None:
            continue
        cosine = [float(speech[place] @ row) / np.linalg.norm(speech[place]) / np.linalg.norm(row) for row in text]
        for group in ("all", class_of(phone)):
            judged[group] += 1
            agreeing[group] += units[int(np.argmax(cosine))] == phone
            expected[group] += units.count(phone) / len(units)  # type: ignore[assignment]  # a share
    assert counts.frames.tolist() == [judged[group] for group in GROUPS]
    assert counts.agreeing.tolist() == [agreeing[group] for group in GROUPS]
    assert counts.expected.tolist() == pytest.approx([expected[group] for group in GROUPS])
    assert (counts.agreeing <= counts.frames).all()
    assert counts.frames[0] == counts.frames[1:].sum()


@laws
@given(several, seeds)
def test_the_same_states_agree_everywhere(phones: list[str | None], seed: int) -> None:
    clip, same = analysed.make_clip(phones, phones), states(len(phones), seed)
    half = len(phones) // 2
    counts = count_clip(clip, same, same, np.roll(same, -half, axis=0))
    assert counts.agreeing.tolist() == counts.exchanged.tolist() == counts.frames.tolist()


@laws
@given(several, several, seeds, st.floats(0.01, 100), st.floats(0.01, 100))
def test_lengths_of_states_do_not_matter(
    frames: list[str | None], units: list[str | None], seed: int, one: float, other: float
) -> None:
    speech, text = states(len(frames), seed), states(len(units), seed + 1)
    near = cosines(speech, text)
    np.testing.assert_allclose(cosines(np.float32(one) * speech, np.float32(other) * text), near, atol=1e-5)
    assert (np.abs(near) <= 1 + 1e-9).all()


def test_a_state_of_zeros_is_no_direction() -> None:
    assert unit_length(np.zeros((2, 3), np.float32)).tolist() == [[0.0] * 3] * 2


@laws
@given(several, several, seeds)
def test_the_chance_is_what_permuted_states_give(frames: list[str | None], units: list[str | None], seed: int) -> None:
    clip = analysed.make_clip(frames, units)
    speech, text = states(len(frames), seed), states(len(units), seed + 1)
    # Every rotation of the units' states puts each of them at each place once, as all permutations together do.
    shares = [
        count_clip(clip, speech, np.roll(text, shift, axis=0), text).agreeing / 1.0 for shift in range(len(units))
    ]
    np.testing.assert_allclose(np.mean(shares, axis=0), count_clip(clip, speech, text, text).expected, atol=1e-9)


@laws
@given(st.lists(st.tuples(several, several), min_size=1, max_size=5))
def test_a_share_is_of_all_frames_of_all_clips(pairs: list[tuple[list[str | None], list[str | None]]]) -> None:
    assume(any(phone is not None for frames, _ in pairs for phone in frames))
    counts = [counted(frames, units, 3 * number)[1] for number, (frames, units) in enumerate(pairs)]
    found = summarize(counts)
    for number, group in enumerate(GROUPS):
        frames = sum(int(count.frames[number]) for count in counts)
        assert (group in found) == (frames > 0)
        if frames:
            one = found[group]
            assert one.frames == frames
            assert one.share == pytest.approx(sum(int(count.agreeing[number]) for count in counts) / frames)
            assert one.exchanged == pytest.approx(sum(int(count.exchanged[number]) for count in counts) / frames)
            assert one.chance == pytest.approx(sum(float(count.expected[number]) for count in counts) / frames)
            assert 0 <= one.low <= one.share <= one.high <= 1
            assert 0 <= one.exchanged_low <= one.exchanged <= one.exchanged_high <= 1


def test_the_interval_is_over_clips() -> None:
    spread = [counted(["AA"] * 50, ["AA" if number % 2 else "B"])[1] for number in range(40)]
    found = summarize(spread)["all"]
    assert found.share == 0.5
    # Of 40 clips each all or nothing: 2 * 1.96 * sqrt(0.25 / 40), however many frames they have.
    assert found.high - found.low == pytest.approx(0.31, abs=0.05)
    same = summarize([counted(["AA", "B"], ["AA"])[1]] * 40)["all"]
    assert (same.low, same.share, same.high) == (0.5, 0.5, 0.5)


def test_frames_without_a_phone_are_not_judged() -> None:
    clip, counts = counted([None, "AA", None], [None, None])
    assert counts.frames.tolist() == [1, 1, 0, 0]
    assert counts.agreeing.tolist() == [0, 0, 0, 0]
    assert agreeing_frames(clip, np.array([0, 0, 1])).tolist() == [False] * 3
    with pytest.raises(DataError, match="no frame has a phone"):
        summarize([counted([None], ["AA"])[1]])


def test_other_symbols_are_refused() -> None:
    with pytest.raises(VocabularyError, match="no phone of ARPAbet"):
        counted(["ə"], ["ə"])


@pytest.fixture(scope="module")
def cuts(tmp_path_factory: pytest.TempPathFactory) -> CutSet:
    """Clips without a silence, in which the halves are of other phones."""
    folder = tmp_path_factory.mktemp("cuts")
    spoken = [
        aligned(cut, [("AA", 0.0, cut.duration / 2), ("S", cut.duration / 2, cut.duration)], alignment_start=0.0)
        for cut in tiny.make_cuts(folder, 4)
    ]
    return attach_units(CutSet.from_cuts(spoken), tiny.unit_model(), folder / "units")


def test_a_model_that_knows_the_phones_agrees_whatever_the_order(tmp_path: Path) -> None:
    real = analysed.shared()
    knowing = analysed.Knowing(real.model, real.labels, is_reduced=False)
    spoken = [
        aligned(cut, [("AA", 0.0, 0.1), ("S", 0.1, 0.2), ("SIL", 0.2, cut.duration)], alignment_start=0.0)
        for cut in tiny.make_cuts(tmp_path, 3)
    ]
    cuts = attach_units(CutSet.from_cuts(spoken), tiny.unit_model(), tmp_path / "units")
    found = measure_agreement(knowing, knowing.choose(cuts, 9))
    assert set(found) == {2}
    assert set(found[2]) == set(GROUPS)
    for one in found[2].values():
        assert (one.share, one.low, one.exchanged) == (1.0, 1.0, 1.0)
        assert one.chance < 0.8


def test_a_model_that_only_counts_the_time_is_found_out(cuts: CutSet) -> None:
    real = analysed.shared()
    counting = analysed.Counting(real.model, real.labels, is_reduced=False)
    found = measure_agreement(counting, counting.choose(cuts, 9))[2]["all"]
    assert found.share > 0.95  # two units a frame: at the boundary one of them is of the other phone
    assert found.exchanged < 0.05
    assert found.chance == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("kind", ["speechlm", "speechut"])
def test_real_models_are_measured(cuts: CutSet, kind: str) -> None:
    shared = analysed.shared(kind)
    chosen = shared.choose(cuts, 9)
    found = measure_agreement(shared, chosen)
    frames = sum((round(cut.duration * 16_000) - 80) // 320 for cut in chosen.cuts)
    assert found[2]["all"].frames == found[2]["vowels"].frames + found[2]["consonants"].frames == frames
    assert found == measure_agreement(shared, chosen)
