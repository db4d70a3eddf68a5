from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from lhotse.cut import Cut
from numpy.random import RandomState

import tiny
from sprachbund.config import from_mapping
from sprachbund.data.batches.augmentation import AugmentationConfig, Augmenter, build_augmenter
from sprachbund.data.batches.crops import PlainCrops
from sprachbund.data.batches.masked import ContrastiveCollator, TeacherCollator, distractors
from sprachbund.data.batches.masking import SpanMasking
from sprachbund.lengths import frames_from_samples
from sprachbund.signal.features import normalize_waveform

SAMPLES = (4_000, 6_401, 9_999, 16_000, 12_345)
COMMON: dict[str, Any] = {
    "seed": 3,
    "crops": PlainCrops(max_samples=8_000),
    "masking": SpanMasking(length=4, equal_counts=False),
    "channel_masking": SpanMasking(probability=0.5, length=3, equal_counts=False),
    "num_channels": 24,
}
KINDS: dict[str, Any] = {
    "contrastive": ContrastiveCollator(**COMMON, num_distractors=6),
    "teacher": TeacherCollator(**COMMON, teacher_is_normalized=False),
}


@pytest.fixture(scope="module")
def cuts(tmp_path_factory: pytest.TempPathFactory) -> list[Cut]:
    return list(tiny.make_cuts(tmp_path_factory.mktemp("masked"), samples=SAMPLES))


def row_of(batch: Any, row: int) -> dict[str, Any]:
    """One item without its padding, which must hold nothing."""
    samples = int(batch.waveform_lengths[row])
    frames = frames_from_samples(samples)
    parts = {
        "waveform": batch.waveforms[row, :samples],
        "mask": batch.time_mask[row, :frames],
        "channels": batch.channel_mask[row],
    }
    assert not batch.waveforms[row, samples:].any()
    assert not batch.time_mask[row, frames:].any()
    if hasattr(batch, "clean"):
        assert not batch.clean[row, samples:].any()
        return parts | {"clean": batch.clean[row, :samples]}
    assert not batch.distractors[row, frames:].any()
    return parts | {"distractors": batch.distractors[row, :frames]}


@pytest.mark.parametrize("kind", list(KINDS))
def test_an_item_is_collated_alike_beside_any_neighbours(cuts: list[Cut], kind: str) -> None:
    alone = [row_of(KINDS[kind]([cut], 6), 0) for cut in cuts]

    @given(chosen=st.permutations(range(len(cuts))).flatmap(lambda order: st.sampled_from([order, order[:3]])))
    @settings(deadline=None, max_examples=15)
    def check(chosen: list[int]) -> None:
        batch = KINDS[kind]([cuts[number] for number in chosen], 6)
        assert batch.ids == tuple(cuts[number].id for number in chosen)
        for row, number in enumerate(chosen):
            parts = row_of(batch, row)
            assert all(torch.equal(parts[name], alone[number][name]) for name in parts), number

    check()


@pytest.mark.parametrize("kind", list(KINDS))
def test_draw_and_seed_decide_what_is_drawn(cuts: list[Cut], kind: str) -> None:
    collate = KINDS[kind]
    first = collate(cuts, 0)
    assert tiny.differences(collate(cuts, 0), first) == []
    drawn = {"waveforms", "time_mask", "channel_mask"}
    drawn |= {"distractors", "seed"} if kind == "contrastive" else {"clean"}
    for other in (collate(cuts, 1), replace(collate, seed=4)(cuts, 0)):
        assert set(tiny.differences(first, other)) == drawn


@pytest.mark.parametrize("kind", list(KINDS))
def test_waveforms_are_as_the_model_wants_them(cuts: list[Cut], kind: str) -> None:
    plain, normal = KINDS[kind](cuts, 0), replace(KINDS[kind], is_normalized=True)(cuts, 0)
    assert tiny.differences(plain, normal) == ["waveforms"]
    for row, length in enumerate(plain.waveform_lengths.tolist()):
        expected = normalize_waveform(plain.waveforms[row, :length].numpy())
        np.testing.assert_array_equal(normal.waveforms[row, :length].numpy(), expected)


def test_the_teacher_hears_the_clean_crop_as_it_wants_it(cuts: list[Cut]) -> None:
    collate = KINDS["teacher"]
    plain = collate(cuts, 0)
    assert torch.equal(plain.clean, plain.waveforms)
    noisy = replace(collate, augmenter=babble(cuts))(cuts, 0)
    assert set(tiny.differences(plain, noisy)) == {"waveforms"}
    normal = replace(collate, teacher_is_normalized=True)(cuts, 0)
    assert tiny.differences(plain, normal) == ["clean"]
    expected = normalize_waveform(plain.clean[0, :4_000].numpy())
    np.testing.assert_array_equal(normal.clean[0, :4_000].numpy(), expected)


def babble(cuts: list[Cut]) -> Augmenter:
    config = from_mapping(AugmentationConfig, {"babble": {"probability": 1.0}}, "test")
    augmenter = build_augmenter(config, cuts, 1)
    assert augmenter is not None
    return augmenter


@given(
    st.lists(st.lists(st.booleans(), min_size=7, max_size=7), min_size=1, max_size=4),
    st.integers(1, 9),
    st.integers(0, 1000),
)
@settings(deadline=None, max_examples=60)
def test_distractors_are_other_masked_frames_of_the_row(rows: list[list[bool]], count: int, seed: int) -> None:
    mask = np.array(rows)
    chosen = distractors(mask, count, [RandomState(seed + row) for row in range(len(rows))])
    assert chosen.shape == (*mask.shape, count)
    for row in range(len(rows)):
        masked = set(np.flatnonzero(mask[row]).tolist())
        for frame in range(7):
            found = set(chosen[row, frame].tolist())
            if frame in masked and len(masked) > 1:
                assert found <= masked - {frame}
            else:
                assert found == {0}


def test_all_distractors_are_equally_likely() -> None:
    mask = np.array([[True, False, True, True, True]])
    chosen = distractors(mask, 30_000, [RandomState(0)])
    for frame in (0, 2, 3, 4):
        shares = np.bincount(chosen[0, frame], minlength=5) / 30_000
        others = [other for other in (0, 2, 3, 4) if other != frame]
        np.testing.assert_allclose(shares[others], 1 / 3, atol=0.015)
