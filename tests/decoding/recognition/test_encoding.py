import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import recognizers
import tiny
from sprachbund.decoding.recognition.encoding import collate_waveforms, encode_recordings, plan_batches
from sprachbund.lengths import frames_from_samples

CPU = torch.device("cpu")


@given(
    lengths=st.lists(st.integers(0, 40_000), max_size=12),
    batch_seconds=st.sampled_from([0.1, 1.0, 2.0, 120.0]),
)
def test_every_recording_of_a_frame_is_in_one_batch(lengths: list[int], batch_seconds: float):
    batches = plan_batches(lengths, batch_seconds)
    assert sorted(place for batch in batches for place in batch) == [
        place for place, length in enumerate(lengths) if frames_from_samples(length) > 0
    ]
    for batch in batches:
        sizes = [lengths[place] for place in batch]
        assert sizes == sorted(sizes, reverse=True)
        assert len(batch) == 1 or len(batch) * sizes[0] <= batch_seconds * 16_000


def test_batches_hold_recordings_of_like_length():
    lengths = list(recognizers.SAMPLES)
    batches = plan_batches(lengths, 2.0)
    assert [[lengths[place] for place in batch] for batch in batches] == [
        [24_000],
        [16_000, 12_345],
        [9000, 9000, 5000],
        [719, 400],
    ]
    assert batches[2] == [0, 6, 4]  # of equal ones the first one first
    assert sorted(len(batch) for batch in plan_batches(lengths, 0.1)) == [1] * 6 + [2]


def test_waveforms_lie_side_by_side():
    sounds = [tiny.tone(5000), tiny.tone(700, 1)]
    batch, lengths = collate_waveforms(sounds, is_normalized=False, device=CPU)
    assert batch.shape == (2, 5000)
    assert lengths.tolist() == [5000, 700]
    assert torch.equal(batch[1, :700], torch.from_numpy(sounds[1]))
    assert not batch[1, 700:].any()


def test_each_is_normalised_for_itself_where_the_model_wants_that():
    sound = 0.5 * tiny.tone(16_000) + np.float32(0.3)
    batch, _ = collate_waveforms([sound, sound[:9000]], is_normalized=True, device=CPU)
    row = batch[1, :9000]
    assert (float(row.mean()), float(row.std())) == pytest.approx((0.0, 1.0), abs=1e-3)


def test_what_comes_out_says_whose_it_is():
    model = recognizers.outspoken_recognizer().model
    blank = tiny.character_tokenizer().vocabulary.blank_id
    sounds = recognizers.waveforms()
    seen: list[int] = []
    for encoded in encode_recordings(model, sounds, blank=blank, batch_seconds=1.5):
        seen += encoded.places
        frames = [frames_from_samples(len(sounds[place])) for place in encoded.places]
        assert encoded.memory.lengths.tolist() == frames
        assert encoded.ctc_logits.shape[:2] == (len(frames), max(frames))
        assert encoded.ctc_logits.dtype == torch.float32
        assert not encoded.ctc_logits.requires_grad
        heard = encoded.ctc_logits.argmax(dim=2) == blank
        counts = [int(row[:length].sum()) for row, length in zip(heard, frames, strict=True)]
        assert list(encoded.blanks) == counts
    assert sorted(seen) == [place for place, length in enumerate(recognizers.SAMPLES) if length >= 400]


def test_nothing_comes_out_of_nothing():
    model = recognizers.outspoken_recognizer().model
    for sounds in ([], [np.zeros(0, np.float32)], [np.zeros(399, np.float32)]):
        assert list(encode_recordings(model, sounds, blank=5, batch_seconds=1.0)) == []
