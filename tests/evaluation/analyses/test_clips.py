"""What of a clip the analyses see, which models and clips they refuse, and that the two sides are read as they say."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from lhotse import CutSet

import analysed
import tiny
from paired_speech import aligned, evenly_aligned, paired_cuts
from sprachbund.data.phones import phones_of_labels
from sprachbund.data.units import attach_units, load_units
from sprachbund.errors import CheckpointError, DataError, VocabularyError
from sprachbund.evaluation.analyses.clips import SharedTransformer, reduced, with_alignments


@pytest.fixture(scope="module")
def cuts(tmp_path_factory: pytest.TempPathFactory) -> CutSet:
    return paired_cuts(tmp_path_factory.mktemp("cuts"), 4)


def test_a_clip_has_the_phone_of_each_frame_and_unit(cuts: CutSet) -> None:
    [cut, *_] = cuts
    clip = analysed.shared().read(cut)
    assert clip.units.tolist() == load_units(cut, tiny.unit_model().fingerprint).tolist()
    assert list(clip.unit_phones) == phones_of_labels(cut, len(clip.units), 0.01)
    assert list(clip.frame_phones) == phones_of_labels(cut, (len(clip.waveform) - 80) // 320, 0.02)
    assert len(set(clip.unit_phones)) > 1


@pytest.mark.parametrize("kind", ["speechlm", "speechut"])
def test_states_are_those_of_the_verbs_of_the_model(cuts: CutSet, kind: str) -> None:
    shared = analysed.shared(kind)
    clip = shared.read(list(cuts)[1])
    speech, units = shared.speech_states(clip), shared.unit_states(clip)
    assert shared.layers == (2,)
    assert len(speech) == len(units) == 1
    waveforms = torch.from_numpy(clip.waveform)[None]
    with torch.no_grad():
        encoded = shared.model.encode_speech(waveforms, torch.tensor([waveforms.shape[1]]))
        ids = torch.tensor([[*(int(unit) + 4 for unit in clip.units), 2]])
        read = shared.model.encode_units(ids, torch.tensor([ids.shape[1]]))
    np.testing.assert_allclose(speech[0], encoded.states[0].numpy(), atol=1e-5)
    np.testing.assert_allclose(units[0], read.states[0, :-1].numpy(), atol=1e-5)
    assert len(speech[0]) == len(clip.frame_phones)
    assert len(units[0]) == len(clip.unit_phones) == len(clip.units)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 4)), min_size=1, max_size=12))
def test_reduced_units_keep_the_phone_of_their_middle(runs: list[tuple[int, int]]) -> None:
    units = np.array([unit for unit, length in runs for _ in range(length)])
    places: list[str | None] = [str(place) for place in range(len(units))]
    short, middles = reduced(units, places)
    assert (np.diff(short) != 0).all()
    assert [int(units[int(str(place))]) for place in middles] == short.tolist()
    changes = [0, *(place for place in range(1, len(units)) if units[place] != units[place - 1]), len(units)]
    assert [int(str(place)) for place in middles] == [(one + two - 1) // 2 for one, two in pairwise(changes)]


def test_models_reduce_as_their_papers_do(tmp_path: Path, cuts: CutSet) -> None:
    for kind, is_reduced in (("speechlm", False), ("speechut", True)):
        folder = analysed.write_folder(tmp_path / kind, kind)
        shared = SharedTransformer.load(folder, tiny.unit_model())
        assert shared.is_reduced is is_reduced
        units = shared.read(next(iter(cuts))).units
        assert (np.diff(units) != 0).all() == is_reduced
        assert SharedTransformer.load(folder, tiny.unit_model(), not is_reduced).is_reduced is not is_reduced


def test_exchanged_halves_are_the_same_units(cuts: CutSet) -> None:
    clip = analysed.shared().read(next(iter(cuts)))
    other, half = clip.rotated(), len(clip.units) // 2
    assert other.units.tolist() == [*clip.units[half:], *clip.units[:half]]
    assert other.unit_phones == (*clip.unit_phones[half:], *clip.unit_phones[:half])
    assert other.frame_phones == clip.frame_phones


def test_clips_are_chosen_by_their_ids_and_the_rest_is_counted(tmp_path: Path, cuts: CutSet) -> None:
    shared = analysed.shared()
    bare = attach_units(tiny.make_cuts(tmp_path, 2, name="bare"), tiny.unit_model(), tmp_path / "units")
    everything = [*cuts, *bare]
    chosen = shared.choose(everything, 3)
    assert chosen.left_out == {"without phones": 2}
    assert len(chosen.cuts) == 3
    again = shared.choose(reversed(everything), 2)
    assert [cut.id for cut in again.cuts] == [cut.id for cut in chosen.cuts][:2]
    with pytest.raises(DataError, match=r"2 cuts without phones.*--aligned"):
        shared.choose(bare, 3)


def test_clips_that_cannot_be_read_are_left_out(cuts: CutSet) -> None:
    [one, *_] = cuts
    short = one.truncate(duration=0.004)
    assert analysed.shared().choose([one, short], 9).left_out == {"shorter than a frame": 1}
    longest = max(cuts, key=lambda cut: cut.duration)
    num_units = round(longest.duration * 100) + 2
    fits = analysed.shared(max_unit_positions=num_units)
    assert fits.choose(cuts, 9).left_out == {}
    fits.unit_states(fits.read(longest))  # and it does fit
    assert analysed.shared(max_unit_positions=num_units - 1).choose(cuts, 9).left_out == {
        "longer than the model has positions": 1
    }


def test_units_of_another_model_are_refused(cuts: CutSet) -> None:
    other = tiny.unit_model(seed=5)
    with pytest.raises(VocabularyError, match="another unit model"):
        analysed.shared(labels=other).choose(cuts, 2)


def test_alignments_are_taken_of_the_same_clip_only(tmp_path: Path) -> None:
    bare = list(tiny.make_cuts(tmp_path, 3))
    known = [evenly_aligned(bare[0]), evenly_aligned(bare[1]).truncate(duration=0.1, preserve_id=True)]
    one, two, three = with_alignments(bare, known)
    assert one.supervisions == known[0].supervisions
    assert (two, three) == (bare[1], bare[2])


def test_phones_of_a_part_of_a_clip_are_those_of_that_time(tmp_path: Path) -> None:
    [cut] = tiny.make_cuts(tmp_path, samples=[16_000])
    spoken = aligned(cut, [("AA", 0.0, 0.5), ("S", 0.5, 1.0)], alignment_start=0.0)
    [labelled] = attach_units(CutSet.from_cuts([spoken]), tiny.unit_model(), tmp_path / "units")
    clip = analysed.shared().read(labelled.truncate(offset=0.4, duration=0.2, preserve_id=True))
    assert clip.unit_phones[:20] == ("AA",) * 10 + ("S",) * 10


@pytest.mark.parametrize(
    ("changes", "facts", "words"),
    [
        ({"num_units": 9}, {}, "another number of units"),
        ({"unit_rate": 50.0}, {}, "another rate"),
        ({}, {"unit_model": "0" * 64}, "the model has learned other units"),
    ],
    ids=["number", "rate", "fingerprint"],
)
def test_other_units_than_the_model_has_learned_are_refused(
    tmp_path: Path, changes: dict[str, float], facts: dict[str, str], words: str
) -> None:
    folder = analysed.write_folder(tmp_path / "model", facts=facts, **changes)
    with pytest.raises(VocabularyError, match=f"{words}.*pre-trained with"):
        SharedTransformer.load(folder, tiny.unit_model())


def test_a_converted_model_may_have_a_mask_behind_its_units(tmp_path: Path) -> None:
    folder = analysed.write_folder(tmp_path / "model", facts={}, num_units=tiny.NUM_UNITS + 1)
    assert SharedTransformer.load(folder, tiny.unit_model()).labels.num_units == tiny.NUM_UNITS


def test_models_without_a_shared_transformer_are_refused(tmp_path: Path) -> None:
    hubert = tiny.write_hubert_folder(tmp_path / "hubert")
    with pytest.raises(CheckpointError, match=r"no Transformer that reads both speech and units.*hubert"):
        SharedTransformer.load(hubert, tiny.unit_model())
    tuned = analysed.write_folder(tmp_path / "tuned", facts={"stage": "recognition"}, num_units=None)
    with pytest.raises(CheckpointError, match=r"speechlm, recognition.*not yet fine-tuned"):
        SharedTransformer.load(tuned, tiny.unit_model())
