"""Laws of crops from end to end: sound and stored units are cut at the same places, a unit for every frame."""

import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from lhotse.cut import MonoCut
from numpy.random import RandomState

import tiny
from sprachbund.data.batches.crops import LabelledCrops
from sprachbund.data.storage.waveforms import read_waveform
from sprachbund.data.units import attach_units, load_units
from sprachbund.errors import DataError, VocabularyError
from sprachbund.lengths import frames_from_samples
from sprachbund.models.stored_features import StoredEncoderFeatures
from sprachbund.nn.waveform_frontend import frame_lengths_of_padding_mask
from sprachbund.shapes import Array
from sprachbund.tokens.units import UnitModel

PLACE = Path(tempfile.mkdtemp(prefix="label-crops-"))


class Places:
    """Frames that tell their own place, at any rate."""

    num_channels = 1

    def __init__(self, rate: int) -> None:
        self.name, self.frame_shift, self.rate = f"places-{rate}", 1 / rate, rate

    def __call__(self, waveform: Array) -> Array:
        per_frame = self.rate // 50
        return np.arange(per_frame * frames_from_samples(len(waveform)), dtype=np.float32)[:, None]


@cache
def labelled(rate: int, num_samples: int) -> tuple[MonoCut, UnitModel]:
    """A clip whose unit n is n."""
    model = UnitModel(np.arange(400, dtype=np.float32)[:, None], f"places-{rate}", 1 / rate)
    folder = PLACE / f"{rate}-{num_samples}"
    cuts = tiny.make_cuts(folder, samples=[num_samples])
    return attach_units(cuts, model, folder / "units", reader=Places(rate))[0], model


rates = st.sampled_from([50, 100, 200])
lengths = st.integers(400, 24_000).map(lambda number: number - number % 37 + 400)


@settings(deadline=None, max_examples=40)
@given(
    rate=rates,
    num_samples=st.sampled_from([400, 719, 720, 5_000, 11_111, 23_999]),
    crop=lengths,
    seed=st.integers(0, 99),
)
@example(rate=200, num_samples=11_111, crop=10_982, seed=1)  # a label more than whole frames have
def test_a_crop_begins_on_a_label_and_has_one_for_every_frame(
    rate: int, num_samples: int, crop: int, seed: int
) -> None:
    cut, model = labelled(rate, num_samples)
    crops = LabelledCrops(label_rate=rate, unit_fingerprint=model.fingerprint, max_samples=crop)
    waveform, units = crops(cut, RandomState(seed))
    assert len(waveform) == min(crop, num_samples)
    assert len(units) == (len(waveform) - 80) // 320 * (rate // 50)
    assert np.array_equal(units, units[:1].repeat(len(units)) + np.arange(len(units)))
    if len(units):
        start = int(units[0]) * 16_000 // rate
        assert np.array_equal(waveform, read_waveform(cut)[start : start + len(waveform)])


@settings(deadline=None, max_examples=40)
@given(rate=rates, first=st.integers(0, 20), frames=st.integers(1, 25))
def test_a_truncated_cut_has_the_units_of_its_part(rate: int, first: int, frames: int) -> None:
    """Lhotse cuts the stored array; whole labels are asked for here."""
    cut, model = labelled(rate, 23_999)
    part = cut.truncate(offset=first / rate, duration=frames / rate)
    assert load_units(part, model.fingerprint).tolist() == list(range(first, first + frames))


@settings(deadline=None, max_examples=12)
@given(st.lists(st.integers(800, 6_000), min_size=1, max_size=4))
def test_a_frame_for_every_label_in_any_batch_and_the_other_rule_in_parity_only(sizes: list[int]) -> None:
    waveforms, counts = torch.zeros(len(sizes), max(sizes)), torch.tensor(sizes)
    for row, size in enumerate(sizes):
        waveforms[row, :size] = torch.from_numpy(tiny.tone(size, row))
    ours, parity = hubert(False), hubert(True)
    with torch.no_grad():
        assert ours.encode_speech(waveforms, counts).lengths.tolist() == [(size - 80) // 320 for size in sizes]
        by_mask = frame_lengths_of_padding_mask(counts, max(sizes), (max(sizes) - 80) // 320)
        assert torch.equal(parity.encode_speech(waveforms, counts).lengths, by_mask)


@cache
def hubert(is_parity: bool) -> torch.nn.Module:
    return tiny.hubert_model(original_numerics=is_parity)


def test_the_two_rules_differ() -> None:
    sizes = torch.tensor([6_000, 3_340])
    assert frame_lengths_of_padding_mask(sizes, 6_000, 18).tolist() != [(size - 80) // 320 for size in sizes.tolist()]


def test_units_of_an_encoder_fit_its_frames_at_every_length(tmp_path: Path) -> None:
    """So do those of MFCC, two a frame: neither is ever too short for a crop of the whole clip."""
    reader = StoredEncoderFeatures(tiny.write_hubert_folder(tmp_path / "model"), 1)
    model = UnitModel(np.eye(4, 32, dtype=np.float32), reader.name, reader.frame_shift)
    cuts = tiny.make_cuts(tmp_path / "clips", samples=[400, 719, 720, 721, 1_039, 1_040, 8_000])
    for cut in attach_units(cuts, model, tmp_path / "units", reader=reader):
        crops = LabelledCrops(label_rate=50, unit_fingerprint=model.fingerprint, max_samples=10_000)
        waveform, units = crops(cut, RandomState(0))
        assert len(units) == frames_from_samples(len(waveform)) == len(load_units(cut, model.fingerprint))


def test_labels_of_another_model_or_too_few_are_refused() -> None:
    cut, model = labelled(50, 11_111)
    other = LabelledCrops(label_rate=100, unit_fingerprint="0" * 64, max_samples=8_000)
    with pytest.raises(VocabularyError, match="another unit model"):
        other(cut, RandomState(0))
    wrong_rate = LabelledCrops(label_rate=100, unit_fingerprint=model.fingerprint, max_samples=20_000)
    with pytest.raises(DataError, match="shorter than their recording"):
        wrong_rate(cut, RandomState(0))
