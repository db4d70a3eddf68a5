"""Phones over units: the durations are those that the phones of labels say, at any rate."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lhotse import CutSet
from lhotse.cut import Cut

import paired_speech
import tiny
from sprachbund.data.paired_units import Pairing, paired_cuts
from sprachbund.data.phones import phones_of_labels
from sprachbund.data.units import attach_units
from sprachbund.errors import DataError, VocabularyError
from sprachbund.tokens.phones import SILENCE, plain_phone

SHIFT = 0.01
FINGERPRINT = tiny.unit_model().fingerprint
PAIRING = Pairing(fingerprint=FINGERPRINT, frame_shift=SHIFT)


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Cut:
    """A clip of 0.6 s with units."""
    folder = tmp_path_factory.mktemp("labelled")
    cuts = tiny.make_cuts(folder, samples=[9_600])
    return next(iter(attach_units(cuts, tiny.unit_model(), folder / "units")))


@st.composite
def alignments(draw: st.DrawFn) -> list[tuple[str, float, float]]:
    """Phones that do not overlap, with gaps or without, in steps of 10 ms or of anything."""
    step = draw(st.sampled_from([0.01, 0.003]))
    bounds = sorted(draw(st.lists(st.integers(0, int(0.7 / step)), min_size=2, max_size=14, unique=True)))
    symbols = draw(st.lists(st.sampled_from(["AA", "T", "S", "SIL", "sil", "aa1"]), min_size=13, max_size=13))
    items = [
        (symbol, round(start * step, 6), round(end * step, 6))
        for symbol, start, end in zip(symbols, bounds, bounds[1:], strict=False)
    ]
    return [item for number, item in enumerate(items) if draw(st.booleans()) or number == 0]


@given(alignments(), st.sampled_from([1, 2, 4]))
@settings(deadline=None, max_examples=60)
def test_phones_last_as_long_as_their_labels_say(
    labelled: Cut, items: list[tuple[str, float, float]], keep_every: int
) -> None:
    cut = paired_speech.aligned(labelled, items)
    pairing = Pairing(fingerprint=FINGERPRINT, frame_shift=SHIFT, keep_every=keep_every)
    example = pairing(cut)
    units = labelled.load_custom("units")
    assert example.units.tolist() == units[::keep_every].tolist()
    assert int(example.durations.sum()) == len(example.units)
    assert (example.durations >= 0).all()
    heard = [phone or SILENCE for phone in phones_of_labels(cut, len(units), SHIFT)]
    assert np.repeat(example.phones, example.durations).tolist() == heard[::keep_every]
    # No phone that begins inside the clip is forgotten, and silence is never beside silence.
    spoken = [plain_phone(symbol) for symbol, start, _ in items if start < cut.duration]
    assert [phone for phone in example.phones if phone != SILENCE] == [one for one in spoken if one != SILENCE]
    assert all({one, other} != {SILENCE} for one, other in zip(example.phones, example.phones[1:], strict=False))


def test_a_phone_too_short_for_a_label_lasts_for_none(labelled: Cut) -> None:
    cut = paired_speech.aligned(labelled, [("T", 0.0, 0.1), ("AA", 0.101, 0.102), ("S", 0.102, 0.6)])
    example = PAIRING(cut)
    assert example.phones == ("T", SILENCE, "AA", "S")
    assert example.durations.tolist() == [10, 0, 0, len(example.units) - 10]


def test_overlapping_phones_share_no_label(labelled: Cut) -> None:
    cut = paired_speech.aligned(labelled, [("T", 0.0, 0.3), ("AA", 0.1, 0.2), ("S", 0.25, 0.6)])
    example = PAIRING(cut)
    assert example.phones == ("T", "AA", "S")
    assert example.durations.tolist() == [30, 0, len(example.units) - 30]


def test_places_in_words_are_kept_where_they_are_wanted(labelled: Cut) -> None:
    pairing = Pairing(fingerprint=FINGERPRINT, frame_shift=SHIFT, word_places=True)
    placed = paired_speech.aligned(labelled, [("SIL", 0.0, 0.1), ("T_B", 0.1, 0.2), ("AA1_E", 0.2, 0.6)])
    assert pairing(placed).phones == (SILENCE, "T_B", "AA_E")
    assert PAIRING(placed).phones == (SILENCE, "T", "AA")
    with pytest.raises(VocabularyError, match="no place in its word in cut clip-000"):
        pairing(paired_speech.aligned(labelled, [("T", 0.0, 0.6)]))


def test_what_is_no_phone_is_told(labelled: Cut) -> None:
    with pytest.raises(VocabularyError, match=r"no phone of ARPAbet in cut clip-000 \(given: ʃ\)"):
        PAIRING(paired_speech.aligned(labelled, [("ʃ", 0.0, 0.6)]))


def test_how_clips_are_paired_is_known_from_what_a_model_notes() -> None:
    pairing = Pairing(fingerprint="f" * 64, frame_shift=0.02, keep_every=2, word_places=True)
    assert Pairing.from_facts(pairing.facts()) == pairing


def with_aligner(cuts: CutSet, aligners: list[str | None]) -> CutSet:
    named = [
        paired_speech.evenly_aligned(cut, **({} if name is None else {"alignment_fingerprint": name}))
        for cut, name in zip(cuts, aligners, strict=True)
    ]
    return CutSet.from_cuts(named)


def test_a_mixture_of_aligners_or_units_is_refused(tmp_path: Path) -> None:
    cuts = paired_speech.paired_cuts(tmp_path, 3)
    assert paired_cuts(with_aligner(cuts, ["one"] * 3), FINGERPRINT).aligner == "one"
    assert paired_cuts(with_aligner(cuts, [None] * 3), FINGERPRINT).aligner == ""
    for other in ("other", None):
        with pytest.raises(VocabularyError, match=r"several aligners .*clip-00\d, .*clip-00\d"):
            paired_cuts(with_aligner(cuts, ["one", "one", other]), FINGERPRINT)
    with pytest.raises(VocabularyError, match="come from another unit model"):
        paired_cuts(cuts, tiny.unit_model(seed=5).fingerprint)


def test_clips_that_are_not_aligned_are_counted(tmp_path: Path) -> None:
    cuts = list(paired_speech.paired_cuts(tmp_path, 3))
    bare = [cut.drop_alignments() for cut in cuts]
    found = paired_cuts(CutSet.from_cuts([cuts[0], bare[1], cuts[2]]), FINGERPRINT)
    assert ([cut.id for cut in found.cuts], found.num_unaligned) == (["clip-000", "clip-002"], 1)
    with pytest.raises(DataError, match="no clip is aligned"):
        paired_cuts(CutSet.from_cuts(bare), FINGERPRINT)


def chosen(cuts: Any, seconds: float) -> list[str]:
    return [cut.id for cut in paired_cuts(CutSet.from_cuts(cuts), FINGERPRINT, max_minutes=seconds / 60).cuts]


def test_a_share_of_the_speech_is_chosen_by_the_names_of_clips(tmp_path: Path) -> None:
    cuts = list(paired_speech.paired_cuts(tmp_path, 12))
    total = sum(cut.duration for cut in cuts)
    half = chosen(cuts, total / 2)
    assert chosen(cuts, 2 * total) == [cut.id for cut in cuts]
    assert 0 < len(half) < 12
    assert half != [cut.id for cut in cuts[: len(half)]]
    assert sum(cut.duration for cut in cuts if cut.id in half) <= total / 2
    # Neither the order nor, for less, what else was taken matters.
    assert sorted(chosen(cuts[::-1], total / 2)) == sorted(half)
    assert set(chosen(cuts, total / 4)) < set(half)
    with pytest.raises(DataError, match=r"fewer than the first clip has .* max_minutes of a recipe"):
        chosen(cuts, 0.1)
