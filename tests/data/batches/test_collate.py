from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from lhotse import CutSet, MonoCut, SupervisionSegment
from lhotse.cut import Cut

import tiny
from sprachbund.data.batches.batch import SpeechBatch, TextBatch, TranscribedBatch, UnitBatch
from sprachbund.data.batches.collate import (
    SpeechCollator,
    TextCollator,
    TranscribedCollator,
    has_speaker_embedding,
    speaker_embedding,
    transcript_of,
)
from sprachbund.data.batches.crops import LabelledCrops
from sprachbund.data.batches.masked import UnitCollator
from sprachbund.data.batches.masking import SpanMasking
from sprachbund.data.batches.text_noise import TextInfilling
from sprachbund.data.storage.waveforms import read_waveform
from sprachbund.data.streams import TextLine
from sprachbund.data.units import attach_units, load_units
from sprachbund.errors import DataError, VocabularyError
from sprachbund.lengths import frames_from_samples
from sprachbund.signal.features import log_mel, normalize_waveform

SAMPLES = (4_000, 6_401, 9_999, 16_000, 12_345)
MAX_SAMPLES = 8_000
UNITS = tiny.unit_model()
CROPS = LabelledCrops(label_rate=100, unit_fingerprint=UNITS.fingerprint, max_samples=MAX_SAMPLES)
TOKENIZER = tiny.character_tokenizer()
MODEST = settings(deadline=None, max_examples=25)


@pytest.fixture(scope="module")
def cuts(tmp_path_factory: pytest.TempPathFactory) -> list[Cut]:
    folder: Path = tmp_path_factory.mktemp("collate")
    return list(attach_units(tiny.make_cuts(folder, samples=SAMPLES), UNITS, folder / "units"))


def speech_collator(**changes: Any) -> SpeechCollator:
    collator = SpeechCollator(
        seed=3,
        crops=CROPS,
        masking=SpanMasking(length=4, equal_counts=False),
        codebook_probability=0.4,
        speaker_dim=5,
    )
    return replace(collator, **changes)


def unit_collator(**changes: Any) -> UnitCollator:
    collator = UnitCollator(
        seed=3,
        crops=CROPS,
        masking=SpanMasking(length=4, equal_counts=False),
        channel_masking=SpanMasking(probability=0.5, length=3, equal_counts=False),
        num_channels=24,
    )
    return replace(collator, **changes)


def text_collator() -> TextCollator:
    vocabulary = TOKENIZER.vocabulary
    noise = TextInfilling(
        mask_id=vocabulary.mask_id,
        vocabulary_size=len(vocabulary) - 2,
        word_start_ids=TOKENIZER.word_start_ids(),
        poisson_rate=1.0,
    )
    return TextCollator(seed=3, noise=noise, codebook_probability=0.4)


def transcribed_collator(**changes: Any) -> TranscribedCollator:
    collator = TranscribedCollator(
        seed=3,
        tokenizer=TOKENIZER,
        time_masking=SpanMasking(length=4, equal_counts=False),
        channel_masking=SpanMasking(probability=0.5, length=3, equal_counts=False),
        num_channels=24,
    )
    return replace(collator, **changes)


def lines(texts: Sequence[str] = tiny.LINES) -> list[TextLine]:
    return [
        TextLine(f"line-{number}", np.array(TOKENIZER.encode(text), dtype=np.int32))
        for number, text in enumerate(texts)
    ]


def speech_row(batch: SpeechBatch, row: int) -> dict[str, Any]:
    """One item without its padding, which must hold nothing."""
    samples, mels = int(batch.waveform_lengths[row]), int(batch.mel_lengths[row])
    frames = frames_from_samples(samples)
    assert not batch.waveforms[row, samples:].any()
    assert not batch.mels[row, mels:].any()
    assert not batch.time_mask[row, frames:].any()
    assert (batch.units[row, 2 * frames :] == 1).all()
    return {
        "waveform": batch.waveforms[row, :samples],
        "units": batch.units[row, : 2 * frames],
        "mask": batch.time_mask[row, :frames],
        "mel": batch.mels[row, :mels],
        "speaker": batch.speaker_embeddings[row],
    }


def unit_row(batch: UnitBatch, row: int) -> dict[str, Any]:
    samples = int(batch.waveform_lengths[row])
    frames = frames_from_samples(samples)
    assert batch.channel_mask is not None
    assert not batch.waveforms[row, samples:].any()
    assert not batch.time_mask[row, frames:].any()
    assert (batch.units[row, 2 * frames :] == 1).all()
    return {
        "waveform": batch.waveforms[row, :samples],
        "units": batch.units[row, : 2 * frames],
        "mask": batch.time_mask[row, :frames],
        "channels": batch.channel_mask[row],
    }


def text_row(batch: TextBatch, row: int) -> dict[str, Any]:
    source, target = int(batch.token_lengths[row]), int(batch.target_lengths[row])
    assert (batch.tokens[row, source:] == 1).all()
    assert (batch.targets[row, target:] == 1).all()
    assert (batch.decoder_input[row, target:] == 1).all()
    parts = {"source": batch.tokens[row, :source], "target": batch.targets[row, :target]}
    return parts | {"input": batch.decoder_input[row, :target]}


def transcribed_row(batch: TranscribedBatch, row: int) -> dict[str, Any]:
    samples, target = int(batch.waveform_lengths[row]), int(batch.target_lengths[row])
    frames = frames_from_samples(samples)
    assert batch.time_mask is not None
    assert batch.channel_mask is not None
    assert not batch.waveforms[row, samples:].any()
    assert not batch.time_mask[row, frames:].any()
    assert (batch.targets[row, target:] == 1).all()
    assert (batch.decoder_input[row, target:] == 1).all()
    return {
        "waveform": batch.waveforms[row, :samples],
        "mask": batch.time_mask[row, :frames],
        "channels": batch.channel_mask[row],
        "target": batch.targets[row, :target],
        "input": batch.decoder_input[row, :target],
    }


KINDS: dict[str, tuple[Any, Any]] = {
    "speech": (speech_collator(), speech_row),
    "units": (unit_collator(), unit_row),
    "text": (text_collator(), text_row),
    "transcribed": (transcribed_collator(), transcribed_row),
}


@pytest.mark.parametrize("kind", list(KINDS))
def test_an_item_is_collated_alike_beside_any_neighbours(cuts: list[Cut], kind: str) -> None:
    collate, row_of = KINDS[kind]
    items = lines() if kind == "text" else cuts
    alone = [row_of(collate([item], 6), 0) for item in items]

    @given(chosen=st.permutations(range(len(items))).flatmap(lambda order: st.sampled_from([order, order[:3]])))
    @MODEST
    def check(chosen: list[int]) -> None:
        batch = collate([items[number] for number in chosen], 6)
        assert batch.ids == tuple(items[number].id for number in chosen)
        for row, number in enumerate(chosen):
            parts = row_of(batch, row)
            assert all(torch.equal(parts[name], alone[number][name]) for name in parts), number

    check()


@pytest.mark.parametrize("kind", list(KINDS))
def test_draw_and_seed_decide_what_is_drawn(cuts: list[Cut], kind: str) -> None:
    collate, _ = KINDS[kind]
    items = lines() if kind == "text" else cuts
    first = collate(items, 0)
    assert tiny.differences(collate(items, 0), first) == []
    drawn = {
        "speech": {"waveforms", "units", "time_mask", "mels", "codebook_positions", "seed"},
        "units": {"waveforms", "units", "time_mask", "channel_mask"},
        "text": {"tokens", "token_lengths", "codebook_positions", "seed"},
        "transcribed": {"time_mask", "channel_mask"},
    }[kind]
    for other in (collate(items, 1), replace(collate, seed=4)(items, 0)):
        assert set(tiny.differences(first, other)) - {"token_lengths"} == drawn - {"token_lengths"}


def test_two_choices_for_one_item_are_independent(cuts: list[Cut]) -> None:
    twins = [cuts[3], replace(cuts[3], id="twin")]
    batch = speech_collator()(twins, 0)
    one, other = speech_row(batch, 0), speech_row(batch, 1)
    assert not torch.equal(one["waveform"], other["waveform"])
    assert not torch.equal(one["mask"], other["mask"])


def test_a_crop_takes_its_units_and_spectrogram_along(cuts: list[Cut]) -> None:
    batch = speech_collator()(cuts, 2)
    assert batch.waveform_lengths.tolist() == [min(length, MAX_SAMPLES) for length in SAMPLES]
    starts = []
    for row, cut in enumerate(cuts):
        whole, units = read_waveform(cut), load_units(cut, UNITS.fingerprint)
        parts = speech_row(batch, row)
        crop = parts["waveform"].numpy()
        [start] = [
            place
            for place in range(0, len(whole) - len(crop) + 1, 160)
            if np.array_equal(whole[place : place + len(crop)], crop)
        ]
        starts.append(start)
        frames = frames_from_samples(len(crop))
        assert parts["units"].tolist() == (units[start // 160 :][: 2 * frames] + 4).tolist()
        np.testing.assert_array_equal(parts["mel"].numpy(), log_mel(crop))
    assert starts[:2] == [0, 0]
    assert len(set(starts)) > 2
    assert batch.units.shape[1] == 2 * batch.time_mask.shape[1] == 2 * len(batch.codebook_positions)


def test_the_units_of_masked_prediction_are_those_of_joint_pretraining(cuts: list[Cut]) -> None:
    units, speech = unit_collator(channel_masking=None)(cuts, 2), speech_collator()(cuts, 2)
    for name in ("ids", "waveforms", "waveform_lengths", "units", "time_mask"):
        one, other = getattr(units, name), getattr(speech, name)
        assert torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other, name
    assert units.channel_mask is None


def test_a_crop_may_come_from_anything_that_gives_one(cuts: list[Cut]) -> None:
    """Units here count frames; a dictionary id is a unit after the four specials."""

    def crops(cut: Cut, _: Any) -> tuple[Any, Any]:
        waveform = read_waveform(cut)
        return waveform, np.arange(frames_from_samples(len(waveform)))

    batch = unit_collator(crops=crops)(cuts[:2], 0)
    assert batch.units[0, :3].tolist() == [4, 5, 6]
    assert batch.waveform_lengths.tolist() == list(SAMPLES[:2])


def test_crops_refuse_what_does_not_fit(cuts: list[Cut]) -> None:
    with pytest.raises(VocabularyError, match="another unit model"):
        unit_collator(crops=replace(CROPS, unit_fingerprint="0" * 64))(cuts, 0)
    assert isinstance(cuts[0], MonoCut) and cuts[0].recording is not None
    faster = replace(cuts[0], recording=cuts[0].recording.perturb_speed(1.1))
    with pytest.raises(DataError, match="speed"):
        CROPS(faster, np.random.RandomState(0))
    with pytest.raises(DataError, match="shorter than their recording"):
        replace(CROPS, label_rate=200)(cuts[3], np.random.RandomState(0))


def test_crops_reach_both_ends_of_a_clip(cuts: list[Cut]) -> None:
    collate, whole = speech_collator(crops=replace(CROPS, max_samples=9_600)), read_waveform(cuts[2])
    crops = [collate([cuts[2]], draw).waveforms[0].numpy() for draw in range(40)]
    # 399 samples are left over: crops begin at label 0, 1 or 2.
    starts = {place for crop in crops for place in (0, 160, 320) if np.array_equal(whole[place:][:9_600], crop)}
    assert starts == {0, 160, 320}


def test_frames_of_the_batch_are_those_of_its_longest_row(cuts: list[Cut]) -> None:
    batch = speech_collator()(cuts[:2], 0)
    assert batch.time_mask.shape == (2, frames_from_samples(6_401))
    assert int(batch.codebook_positions.sum()) == int(0.4 * frames_from_samples(6_401))
    assert batch.speaker_embeddings.shape == (2, 5)
    assert not batch.speaker_embeddings.any()
    assert (batch.units[batch.units != 1] >= 4).all()
    assert batch.units.max() < 4 + UNITS.num_units


def test_published_masks_are_of_equal_counts(cuts: list[Cut]) -> None:
    batch = speech_collator(masking=SpanMasking(length=4))(cuts, 0)
    assert len(set(batch.time_mask.sum(dim=1).tolist())) == 1
    assert batch.time_mask.any()


def test_units_of_another_model_are_refused(cuts: list[Cut]) -> None:
    with pytest.raises(VocabularyError, match="another unit model"):
        speech_collator(crops=replace(CROPS, unit_fingerprint=tiny.unit_model(seed=1).fingerprint))(cuts, 0)


def test_clips_without_units_are_refused(tmp_path: Path) -> None:
    with pytest.raises(VocabularyError, match="no units"):
        speech_collator()(list(tiny.make_cuts(tmp_path, 1)), 0)


@pytest.mark.parametrize("kind", ["speech", "units", "transcribed"])
def test_waveforms_are_normalised_only_if_the_model_wants_it(cuts: list[Cut], kind: str) -> None:
    collate, _ = KINDS[kind]
    plain, normal = collate(cuts, 0), replace(collate, is_normalized=True)(cuts, 0)
    assert tiny.differences(plain, normal) == ["waveforms"]  # targets of the decoder stay those of the sound itself
    for row, length in enumerate(plain.waveform_lengths.tolist()):
        expected = normalize_waveform(plain.waveforms[row, :length].numpy())
        np.testing.assert_array_equal(normal.waveforms[row, :length].numpy(), expected)
        assert not normal.waveforms[row, length:].any()


@pytest.mark.parametrize("kind", ["text", "transcribed"])
def test_the_decoder_reads_the_end_mark_and_the_targets_but_the_last(cuts: list[Cut], kind: str) -> None:
    collate, row_of = KINDS[kind]
    batch = collate(lines() if kind == "text" else cuts, 0)
    for row in range(len(batch.ids)):
        parts = row_of(batch, row)
        assert parts["input"].tolist() == [2, *parts["target"].tolist()[:-1]]
        assert parts["target"][-1] == 2


def test_the_targets_of_text_are_the_line_itself() -> None:
    batch = text_collator()(lines(), 0)
    is_noised = False
    for row, text in enumerate(tiny.LINES):
        parts = text_row(batch, row)
        assert parts["target"].tolist() == [0, *TOKENIZER.encode(text), 2]
        source = parts["source"].tolist()
        assert (source[0], source[-1]) == (0, 2)
        is_noised = is_noised or TOKENIZER.vocabulary.mask_id in source
        # Random tokens are text, the mask alone is added; the blank is never said.
        assert TOKENIZER.vocabulary.blank_id not in source
    assert is_noised
    assert len(batch.codebook_positions) == batch.tokens.shape[1]
    assert int(batch.codebook_positions.sum()) == int(0.4 * batch.tokens.shape[1])


def test_the_targets_of_recognition_are_the_transcript(cuts: list[Cut]) -> None:
    batch = transcribed_collator()(cuts, 0)
    for row in range(len(cuts)):
        target = transcribed_row(batch, row)["target"].tolist()
        assert target == [*TOKENIZER.encode(tiny.TEXTS[row]), 2]
        assert TOKENIZER.decode(target) == tiny.TEXTS[row]
    assert batch.waveform_lengths.tolist() == list(SAMPLES)  # nothing is cropped


def test_masks_are_left_out_where_none_are_asked_for(cuts: list[Cut]) -> None:
    batch = transcribed_collator(time_masking=None, channel_masking=None)(cuts, 0)
    assert batch.time_mask is None
    assert batch.channel_mask is None
    batch = transcribed_collator()(cuts, 0)
    assert batch.channel_mask is not None
    assert batch.channel_mask.shape == (5, 24)
    assert batch.channel_mask.any(dim=1).all()


@pytest.mark.parametrize("texts", [[], [None], ["a", "b"]])
def test_a_cut_has_one_transcript(cuts: list[Cut], texts: list[str | None]) -> None:
    said = [SupervisionSegment(f"s{number}", "r", 0, 0.1, text=text) for number, text in enumerate(texts)]
    with pytest.raises(DataError, match="exactly one transcript") as caught:
        transcript_of(replace(cuts[0], supervisions=said))
    assert cuts[0].id in str(caught.value)
    assert (
        transcript_of(replace(cuts[0], supervisions=[*said[:0], SupervisionSegment("s", "r", 0, 1, text="ok")])) == "ok"
    )


def test_a_cut_may_bring_a_speaker_vector(cuts: list[Cut], tmp_path: Path) -> None:
    from lhotse.array import Array as ArrayManifest

    vector = np.arange(5, dtype=np.float64)
    np.save(tmp_path / "vector.npy", vector)
    stored = ArrayManifest("numpy_files", str(tmp_path), "vector.npy", [5])
    cut = cuts[0]
    assert isinstance(cut, MonoCut)
    speaking = replace(cut, id="speaking", custom={**(cut.custom or {}), "speaker_embedding": stored})
    assert has_speaker_embedding(speaking)
    assert not has_speaker_embedding(cut)
    assert not has_speaker_embedding(replace(cut, custom=None))
    batch = speech_collator()(list(CutSet.from_cuts([speaking, cuts[1]])), 0)
    assert batch.speaker_embeddings.tolist() == [vector.tolist(), [0.0] * 5]
    with pytest.raises(DataError, match="another size") as caught:
        speaker_embedding(speaking, 4)
    assert "5 instead of 4" in str(caught.value)


def test_the_shortest_clips_are_collated(tmp_path: Path) -> None:
    """One frame is the least; its row may have no masked frame, and with equal counts then no row has."""
    made = attach_units(tiny.make_cuts(tmp_path, samples=(400, 719, 6_400)), UNITS, tmp_path / "units")
    batch = speech_collator()(list(made), 0)
    assert [frames_from_samples(length) for length in batch.waveform_lengths.tolist()] == [1, 1, 19]
    assert speech_row(batch, 0)["units"].shape == (2,)
    assert batch.time_mask[2].any()
    thinned = speech_collator(masking=SpanMasking())(list(made), 0)
    assert len(set(thinned.time_mask.sum(dim=1).tolist())) == 1
