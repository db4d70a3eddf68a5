from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from lhotse import CutSet, MonoCut
from lhotse.supervision import AlignmentItem
from lhotse.utils import fastcopy

import tiny
from probing_data import aligned_cuts, clips
from sprachbund.data.phones import ALIGNMENT_START
from sprachbund.errors import DataError
from sprachbund.evaluation.frozen_features import FeatureStore, encoder_features, mfcc_features, paired_mfcc_features
from sprachbund.evaluation.probe_data import (
    IGNORED,
    UNSEEN,
    LabelledCut,
    LabelledCuts,
    ProbeTask,
    Span,
    at_most_hours,
    batches,
    gather,
    label_cuts,
    read_features,
)

PHONES, FRAMES, CHARACTERS = ProbeTask.PHONES, ProbeTask.FRAMES, ProbeTask.CHARACTERS


def with_alignment(cut, items):
    said = fastcopy(cut.supervisions[0], alignment=None if items is None else {"phone": items})
    return fastcopy(cut, supervisions=[said])


@pytest.fixture(scope="module")
def cuts(tmp_path_factory: pytest.TempPathFactory) -> CutSet:
    return aligned_cuts(tmp_path_factory.mktemp("aligned"), 6)


@pytest.fixture(scope="module")
def whole(cuts: CutSet):
    return cuts[0]


def store_in(folder: Path) -> FeatureStore:
    return FeatureStore(paired_mfcc_features(), folder / "features")


def test_phones_are_those_of_the_alignment_without_silence_and_stress(cuts: CutSet, tmp_path: Path):
    labelled = label_cuts(cuts, PHONES, "train")
    assert labelled.symbols == ("AA", "B", "T")
    gathered = gather(labelled, PHONES, store_in(tmp_path), labelled.symbols, "train")
    for cut, clip in zip(cuts, gathered.clips, strict=True):
        said = [item.symbol for item in cut.supervisions[0].alignment["phone"] if item.symbol != "SIL"]
        assert [("AA1", "B", "T")[label] for label in clip.labels] == said
    assert gathered.seconds == pytest.approx(sum(cut.duration for cut in cuts))
    assert (gathered.left_out, gathered.unseen) == ({}, 0)


def test_a_frame_has_the_phone_at_its_middle(cuts: CutSet, tmp_path: Path):
    labelled = label_cuts(cuts, FRAMES, "train")
    gathered = gather(labelled, FRAMES, store_in(tmp_path), labelled.symbols, "train")
    for cut, clip in zip(cuts, gathered.clips, strict=True):
        for frame, label in enumerate(clip.labels):
            middle = (320 * frame + 200) / 16_000
            (item,) = [i for i in cut.supervisions[0].alignment["phone"] if i.start <= middle < i.start + i.duration]
            assert label == {"AA1": 0, "B": 1, "T": 2, "SIL": IGNORED}[item.symbol]
    assert gathered.frame_count == sum(len(clip.labels) for clip in gathered.clips)


def test_speakers_are_the_classes_of_characters(cuts: CutSet, tmp_path: Path):
    labelled = label_cuts(cuts, CHARACTERS, "train")
    assert labelled.symbols == ("ann", "bob")
    gathered = gather(labelled, CHARACTERS, store_in(tmp_path), labelled.symbols, "train")
    assert [clip.labels.tolist() for clip in gathered.clips] == [[0], [1]] * 3
    # Who is not in the training set cannot be told.
    known = gather(labelled, CHARACTERS, store_in(tmp_path), ("bob",), "test")
    assert len(known.clips) == 3
    assert known.left_out == {"of a speaker who is not in the training set": 3}
    with pytest.raises(DataError, match="no clip is left"):
        gather(labelled, CHARACTERS, store_in(tmp_path), ("eve",), "test")


def test_phones_that_training_lacks_stay_errors(cuts: CutSet, tmp_path: Path):
    labelled = label_cuts(cuts, PHONES, "test")
    gathered = gather(labelled, PHONES, store_in(tmp_path), ("AA", "T"), "test")
    strange = sum(int((clip.labels == UNSEEN).sum()) for clip in gathered.clips)
    assert 0 < strange == gathered.unseen
    assert strange == sum(item.symbol == "B" for cut in cuts for item in cut.supervisions[0].alignment["phone"])


@settings(deadline=None, max_examples=60)
@given(offset=st.floats(0, 0.4), duration=st.floats(0.05, 0.3))
def test_a_part_of_a_cut_has_the_phones_of_its_part(whole, offset: float, duration: float):
    items = [AlignmentItem(symbol, 0.1 * place, 0.1) for place, symbol in enumerate(("K", "AE", "T", "S", "SIL", "B"))]
    aligned = with_alignment(whole, items)
    aligned.supervisions[0].custom = {ALIGNMENT_START: 0.0}
    part = aligned.truncate(offset=offset, duration=duration)
    edges = [0.1 * place for place in range(7)]
    assume(min(abs(edge - end) for edge in edges for end in (offset, offset + part.duration)) > 1e-6)
    heard = [i.symbol for i in items if i.symbol != "SIL" and i.end > offset and i.start < offset + part.duration]
    try:
        found = [span.symbol for span in label_cuts([part], PHONES, "part").cuts[0].spans]
    except DataError:
        found = []
    assert found == heard


def test_what_cannot_be_used_is_counted(cuts: CutSet, tmp_path: Path):
    plain = with_alignment(cuts[0], None)
    silent = with_alignment(cuts[1], [AlignmentItem(symbol, 0.0, 0.1) for symbol in ("SIL", "sil", "spn", "")])
    short = cuts[2].truncate(duration=0.02)
    short = with_alignment(short, [AlignmentItem("B", 0.0, 0.02)])
    gap = with_alignment(cuts[3], [AlignmentItem("B", 0.013, 0.001)])
    given = [plain, silent, short, gap, cuts[4]]
    for task in (PHONES, FRAMES):
        labelled = label_cuts(given, task, "train")
        gathered = gather(labelled, task, store_in(tmp_path), labelled.symbols, "train")
        expected = {"without alignment": 1, "without phones": 1, "shorter than a frame": 1}
        if task is FRAMES:
            expected["without phones at the middle of a frame"] = 1
        assert gathered.left_out == expected
        assert len(gathered.clips) == 5 - sum(expected.values())


@pytest.mark.parametrize("task", list(ProbeTask))
def test_a_set_of_which_nothing_can_be_used_is_refused(tmp_path: Path, task: ProbeTask):
    bare = tiny.make_cuts(tmp_path, 2)
    with pytest.raises(DataError, match=r"no cut can be used for the task .* in held-out .*2 cuts without"):
        label_cuts(bare, task, "held-out")
    with pytest.raises(DataError, match="no cuts"):
        label_cuts([], task, "held-out")


def test_cuts_of_several_speakers_are_left_out(cuts: CutSet):
    both = fastcopy(cuts[0], supervisions=[*cuts[0].supervisions, *cuts[1].supervisions])
    labelled = label_cuts([both, cuts[1]], CHARACTERS, "train")
    assert len(labelled.cuts) == 1
    assert labelled.left_out == {"of several speakers": 1}


def test_features_of_another_rate_are_refused(cuts: CutSet, tmp_path: Path):
    labelled = label_cuts(cuts, PHONES, "train")
    with pytest.raises(DataError, match="50 frames a second"):
        gather(labelled, PHONES, FeatureStore(mfcc_features(), tmp_path), labelled.symbols, "train")
    assert not list(tmp_path.iterdir())


def fake(ids: list[str], seconds: float) -> LabelledCuts:
    cuts = [MonoCut(identity, 0.0, seconds, 0) for identity in ids]
    return LabelledCuts(tuple(LabelledCut(cut, (Span("B", 0.0, 0.1),)) for cut in cuts), {})


@settings(deadline=None, max_examples=40)
@given(count=st.integers(1, 30), hours=st.floats(0.0001, 0.01), order=st.randoms(use_true_random=False))
def test_hours_bound_what_is_learned_from(count: int, hours: float, order):
    ids = [f"c{number}" for number in range(count)]
    kept = {one.cut.id for one in at_most_hours(fake(ids, 0.5), hours).cuts}
    assert len(kept) == min(count, max(1, int(hours * 3600 / 0.5 + 1e-9)))
    order.shuffle(ids)
    assert {one.cut.id for one in at_most_hours(fake(ids, 0.5), hours).cuts} == kept
    # More hours never lose a cut.
    assert kept <= {one.cut.id for one in at_most_hours(fake(ids, 0.5), 2 * hours).cuts}


@settings(deadline=None, max_examples=40)
@given(count=st.integers(0, 50), size=st.integers(1, 9), seed=st.integers(0, 9))
def test_batches_hold_every_place_once(count: int, size: int, seed: int):
    plain = [place for group in batches(count, size) for place in group]
    drawn = list(batches(count, size, np.random.default_rng(seed)))
    assert plain == list(range(count))
    assert sorted(place for group in drawn for place in group) == plain
    assert all(len(group) == size for group in drawn[:-1])


def test_features_are_read_clip_after_clip_and_layer_by_layer(tmp_path: Path):
    made = clips(tmp_path, 3, FRAMES, informative=[True, False])
    features, lengths = read_features(made)
    assert features.dtype == np.float32
    assert features.shape == (lengths.sum(), 2, 6)
    start = 0
    for clip, length in zip(made, lengths, strict=True):
        for layer, path in enumerate(clip.paths):
            assert np.array_equal(features[start : start + length, layer], np.load(path))
        start += length


def test_damaged_stores_are_told(tmp_path: Path):
    made = clips(tmp_path, 3, FRAMES, informative=[True, False])
    np.save(made[1].paths[1], np.load(made[1].paths[1])[:-1])
    with pytest.raises(DataError, match="not equally long") as caught:
        read_features(made)
    assert str(made[1].paths[1]) in str(caught.value)
    made[1].paths[1].write_bytes(b"no array")
    with pytest.raises(DataError, match="cannot be read"):
        read_features(made)
    with pytest.raises(DataError, match="cannot be read"):
        read_features([replace(made[0], paths=(tmp_path / "none.npy",))])


def test_recordings_of_any_rate_are_read_at_16_khz(tmp_path: Path):
    cut = aligned_cuts(tmp_path, 1)[0]
    resampled = cut.resample(8_000)
    labelled = label_cuts([cut, resampled.with_id("other")], FRAMES, "train")
    store = FeatureStore(encoder_features(tiny.hubert_model(), [0]), tmp_path / "features")
    one, other = gather(labelled, FRAMES, store, labelled.symbols, "train").clips
    assert np.array_equal(one.labels, other.labels)
