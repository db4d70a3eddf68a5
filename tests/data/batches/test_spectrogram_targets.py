import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.random import RandomState
from safetensors.torch import load_file

from sprachbund.data.batches.spectrogram_targets import (
    crop_mel,
    crop_start,
    crop_units,
    crop_units_rounded,
    decoder_input_frames,
    decoder_input_lengths,
    samples_per_label,
    stop_labels,
    thin_frames,
    trimmed_lengths,
    trimmed_stop_labels,
)
from sprachbund.errors import DataError
from sprachbund.lengths import frames_from_samples

rates = st.sampled_from([50, 100, 200])


def load_case(golden, name):
    folder = golden / "preprocess"
    if not folder.is_dir():
        pytest.skip("this golden directory has no preprocess folder")
    return load_file(folder / name / "io.safetensors")


def padded(rows):
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)


def test_targets_equal_the_original_ones_of_synthesis(golden):
    case = load_case(golden, "collate_tts")
    mels = [case[key] for key in sorted(key for key in case if key.startswith("in.mel_"))]
    batch, lengths = padded(mels), torch.tensor([len(mel) for mel in mels])
    torch.testing.assert_close(batch, case["out.dec_target"])
    factors = [int(key[5:].split("_")[0]) for key in case if key.endswith("_prev_output_tokens")]
    assert len(factors) > 1
    for factor in factors:
        expected = {key.removeprefix(f"out.r{factor}_"): value for key, value in case.items()}
        labels = stop_labels(lengths, batch.shape[1])
        assert torch.equal(decoder_input_frames(batch, factor), expected["prev_output_tokens"])
        assert torch.equal(decoder_input_lengths(lengths, factor), expected["tgt_lengths"])
        assert torch.equal(labels, expected["labels"])
        if factor > 1:
            assert torch.equal(trimmed_lengths(lengths, factor), expected["loss_olens"])
            assert torch.equal(trimmed_stop_labels(labels, lengths, factor), expected["loss_labels"])


@pytest.mark.parametrize("crop", [0, 1])
def test_crops_equal_the_original_ones_of_pretraining(golden, crop):
    case = {
        key.removeprefix(f"out.crop{crop}_"): value
        for key, value in load_case(golden, "collate_speech_pretrain").items()
    }
    # The inputs are told in the description of the case: counts 0, 1, 2, ... of these lengths.
    sizes, starts, size = [6000, 5000, 4500], case["source_first_sample"].long().tolist(), int(case["source_len"][1])
    units = [
        crop_units_rounded(np.arange(4, 4 + total * 50 // 16000), start, size, 50)
        for total, start in zip(sizes, starts, strict=True)
    ]
    shortest = min(map(len, units))
    assert torch.equal(torch.tensor(np.stack([row[:shortest] for row in units])), case["target_list"])
    mels = [
        crop_mel(np.arange(1 + total // 256, dtype=np.float32), start, size, total)
        for total, start in zip(sizes, starts, strict=True)
    ]
    assert [len(mel) for mel in mels] == case["dec_target_lengths"].tolist()
    assert torch.equal(padded([torch.tensor(mel) for mel in mels]), case["dec_target_first"])
    labels = stop_labels(torch.tensor([1 + total // 256 for total in sizes]), case["labels"].shape[1])
    assert torch.equal(labels, case["labels"])
    batch = case["dec_target_first"][..., None]
    assert torch.equal(decoder_input_frames(batch, 2)[..., 0], case["prev_output_tokens"])
    assert torch.equal(decoder_input_lengths(case["dec_target_lengths"], 2), case["tgt_lengths"])


@settings(deadline=None, max_examples=60)
@given(lengths=st.lists(st.integers(1, 30), min_size=1, max_size=4), factor=st.integers(1, 5))
def test_each_position_reads_the_frame_before_its_group(lengths, factor):
    mels = padded([torch.randn(length, 3) for length in lengths])
    read, thinned = decoder_input_frames(mels, factor), thin_frames(mels, factor)
    assert read.shape == thinned.shape == (len(lengths), max(lengths) // factor, 3)
    for position in range(read.shape[1]):
        before = mels[:, position * factor - 1] if position else torch.zeros(len(lengths), 3)
        assert torch.equal(read[:, position], before)


@settings(deadline=None, max_examples=60)
@given(lengths=st.lists(st.integers(1, 30), min_size=1, max_size=4), factor=st.integers(1, 5))
def test_every_row_ends_where_its_trimmed_frames_do(lengths, factor):
    counts = torch.tensor(lengths)
    labels = stop_labels(counts, max(lengths))
    trimmed = trimmed_stop_labels(labels, counts, factor)
    kept = trimmed_lengths(counts, factor)
    assert trimmed.shape[1] == kept.max()
    for row, length in enumerate(kept.tolist()):
        assert trimmed[row, :length].sum() == (length > 0)
        assert length == 0 or trimmed[row, length - 1] == 1
    assert torch.equal(labels, stop_labels(counts, max(lengths)))  # left as they were


def test_a_cropped_row_has_no_end():
    assert stop_labels(torch.tensor([9, 4]), 5).tolist() == [[0, 0, 0, 0, 0], [0, 0, 0, 1, 1]]


@settings(deadline=None, max_examples=200)
@given(num_samples=st.integers(1, 60000), max_samples=st.integers(400, 40000), rate=rates, seed=st.integers(0, 999))
def test_a_crop_has_a_label_for_every_frame(num_samples, max_samples, rate, seed):
    step = samples_per_label(rate)
    start = crop_start(num_samples, max_samples, RandomState(seed), step)
    size = min(num_samples, max_samples)
    assert start % step == 0
    assert 0 <= start <= num_samples - size
    # Labels made from the whole recording: the fewest there can be at this rate.
    units = np.arange(max(0, (num_samples - 80) // 320) * rate // 50)
    if rate > 50:
        units = np.arange(num_samples // step)
    cropped = crop_units(units, start, size, rate)
    assert len(cropped) == frames_from_samples(size) * rate // 50 == max(0, (size - 80) // 320) * rate // 50
    if len(cropped):
        assert cropped[0] * step == start
        assert (np.diff(cropped) == 1).all()


def test_crops_reach_both_ends():
    starts = {crop_start(16000, 12800, RandomState(seed), 320) for seed in range(200)}
    assert starts == set(range(0, 3201, 320))
    assert crop_start(100, 100, RandomState(0), 320) == 0


def test_missing_labels_and_odd_starts_are_errors():
    with pytest.raises(DataError, match="40 labels where 49"):
        crop_units(np.arange(40), 0, 16000, 50)
    with pytest.raises(DataError, match="within a label"):
        crop_units(np.arange(49), 100, 1000, 50)
    for rate in (0, 25, 60, 150, -50):
        with pytest.raises(DataError, match="label rate"):
            samples_per_label(rate)


@settings(deadline=None, max_examples=100)
@given(total=st.integers(400, 50000), data=st.data())
def test_a_spectrogram_crop_lies_within_and_is_as_long_as_its_waveform(total, data):
    size = data.draw(st.integers(1, total))
    start = data.draw(st.integers(0, total - size))
    mel = np.arange(1 + total // 256, dtype=np.float32)
    cropped = crop_mel(mel, start, size, total)
    assert abs(len(cropped) - size / 256) <= 1 + size / total
    assert len(cropped) == 0 or abs(cropped[0] * 256 - start) <= 512
    np.testing.assert_array_equal(crop_mel(mel, 0, total, total), mel)
