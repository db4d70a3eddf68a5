from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from lhotse import CutSet, MonoCut, SupervisionSegment
from lhotse.cut import Cut
from numpy.random import RandomState

import tiny
from sprachbund.config import from_mapping, to_mapping
from sprachbund.data.batches.augmentation import (
    AugmentationConfig,
    Augmenter,
    BabbleConfig,
    NoiseConfig,
    ReverberationConfig,
    SpeedConfig,
    Voices,
    VolumeConfig,
    build_augmenter,
    names_speaker,
)
from sprachbund.data.batches.collate import SpeechCollator, TranscribedCollator
from sprachbund.data.batches.crops import LabelledCrops
from sprachbund.data.batches.masking import SpanMasking
from sprachbund.data.mixture import Mixture, Step, loader
from sprachbund.data.storage.waveforms import read_waveform
from sprachbund.data.streams import CutStream
from sprachbund.data.units import attach_units
from sprachbund.errors import DataError, RecipeError
from sprachbund.lengths import frames_from_samples
from sprachbund.shapes import Array
from sprachbund.signal.audio import write_audio
from sprachbund.signal.augment.noise import power
from sprachbund.signal.features import normalize_waveform

UNITS = tiny.unit_model()
TOKENIZER = tiny.character_tokenizer()
SAMPLES = (4_000, 6_401, 9_999, 16_000, 12_345, 8_000)
EVERYTHING = AugmentationConfig(
    noise=NoiseConfig(kinds=("white", "pink", "brown"), probability=0.7),
    babble=BabbleConfig(speakers=(1, 3), probability=0.7),
    reverberation=ReverberationConfig(probability=0.7, decay=(0.05, 0.2)),
    volume=VolumeConfig(probability=0.7),
)
WITH_SPEED = replace(EVERYTHING, speed=SpeedConfig())


@dataclass(frozen=True, kw_only=True)
class Recipe:
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)


@pytest.fixture(scope="module")
def cuts(tmp_path_factory: pytest.TempPathFactory) -> list[Cut]:
    """Six clips of three speakers, with units."""
    folder: Path = tmp_path_factory.mktemp("augmentation")
    made = list(attach_units(tiny.make_cuts(folder, samples=SAMPLES), UNITS, folder / "units"))
    for number, cut in enumerate(made):
        cut.supervisions[0].speaker = f"speaker {number % 3}"
    return made


@pytest.fixture(scope="module")
def noises(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest of noise: one clip is longer than any of speech, one shorter."""
    return tiny.write_corpus(tmp_path_factory.mktemp("noise"), samples=(48_000, 1_000), name="noise", texts=False)


def augmenter(config: AugmentationConfig, cuts: list[Cut], seed: int = 3) -> Augmenter:
    made = build_augmenter(config, cuts, seed)
    assert made is not None
    return made


def always(**choices: Any) -> AugmentationConfig:
    return AugmentationConfig(**{name: replace(choice, probability=1.0) for name, choice in choices.items()})


def speech_collator(augment: Augmenter | None, **changes: Any) -> SpeechCollator:
    return SpeechCollator(
        seed=3,
        crops=LabelledCrops(label_rate=100, unit_fingerprint=UNITS.fingerprint, max_samples=8_000),
        masking=SpanMasking(length=4, equal_counts=False),
        codebook_probability=0.4,
        speaker_dim=5,
        augmenter=augment,
        **changes,
    )


def transcribed_collator(augment: Augmenter | None, **changes: Any) -> TranscribedCollator:
    masking = SpanMasking(length=4, equal_counts=False)
    return TranscribedCollator(seed=3, tokenizer=TOKENIZER, time_masking=masking, augmenter=augment, **changes)


@pytest.mark.parametrize("kind", ["speech", "transcribed"])
def test_a_clip_sounds_alike_beside_any_neighbours(cuts: list[Cut], kind: str) -> None:
    collate: Any = speech_collator if kind == "speech" else transcribed_collator
    collate = collate(augmenter(EVERYTHING if kind == "speech" else WITH_SPEED, cuts))
    alone = [collate([cut], 5) for cut in cuts]

    @given(order=st.permutations(range(len(cuts))), count=st.integers(1, len(cuts)))
    @settings(deadline=None, max_examples=15)
    def check(order: list[int], count: int) -> None:
        batch = collate([cuts[number] for number in order[:count]], 5)
        for row, number in enumerate(order[:count]):
            length = int(alone[number].waveform_lengths[0])
            assert int(batch.waveform_lengths[row]) == length
            assert torch.equal(batch.waveforms[row, :length], alone[number].waveforms[0])
            frames = frames_from_samples(length)
            assert torch.equal(batch.time_mask[row, :frames], alone[number].time_mask[0])

    check()


def steps(cuts: list[Cut], workers: int, first: int = 0) -> list[Step]:
    stream = CutStream(CutSet.from_cuts(cuts), 1.5, seed=1, num_buckets=2)
    collator = transcribed_collator(augmenter(WITH_SPEED, cuts))
    start = [step for _, step in zip(range(first), Mixture({"t": stream}, {"t": collator}), strict=False)]
    cursors = start[-1].cursors if start else None
    mixture = Mixture({"t": stream}, {"t": collator}, accumulate=2, first_step=first // 2, cursors=cursors)
    return [step for _, step in zip(range(4), loader(mixture, workers), strict=False)]


def test_neither_workers_nor_a_restart_change_a_sample(cuts: list[Cut]) -> None:
    alone = steps(cuts, 0)
    for other in (steps(cuts, 2), steps(cuts, 0)):
        for one, two in zip(alone, other, strict=True):
            for first, second in zip(one.micros, two.micros, strict=True):
                assert tiny.differences(first["t"], second["t"]) == []
    for one, two in zip(alone[1:], steps(cuts, 0, first=2), strict=False):
        for first, second in zip(one.micros, two.micros, strict=True):
            assert tiny.differences(first["t"], second["t"]) == []


def test_every_draw_seed_and_clip_has_its_own_chances(cuts: list[Cut]) -> None:
    one, other = augmenter(always(noise=NoiseConfig(kinds=("white",))), cuts), read_waveform(cuts[0])
    heard = [
        one.distort(other, cuts[0], 1),
        one.distort(other, cuts[0], 2),
        one.distort(other, cuts[1], 1),
        replace(one, seed=4).distort(other, cuts[0], 1),
    ]
    assert all(not np.array_equal(heard[i], heard[j]) for i in range(4) for j in range(i))
    assert np.array_equal(heard[0], one.distort(other, cuts[0], 1))


def test_pretraining_hears_noise_and_predicts_the_clean_sound(cuts: list[Cut]) -> None:
    for changes in ({}, {"is_normalized": True}):
        clean = speech_collator(None, **changes)(cuts, 2)
        noisy = speech_collator(augmenter(always(**_choices()), cuts), **changes)(cuts, 2)
        assert tiny.differences(clean, noisy) == ["waveforms"]
        for row in range(len(cuts)):
            length = int(clean.waveform_lengths[row])
            assert not torch.equal(clean.waveforms[row, :length], noisy.waveforms[row, :length])
            assert not noisy.waveforms[row, length:].any()
            if changes:
                assert abs(float(noisy.waveforms[row, :length].mean())) < 1e-5


def _choices() -> dict[str, Any]:
    return {name: getattr(EVERYTHING, name) for name in ("noise", "babble", "reverberation", "volume")}


def test_fine_tuning_changes_speed_before_masks_and_lengths(cuts: list[Cut]) -> None:
    for factor in (0.9, 1.1):
        batch = transcribed_collator(augmenter(AugmentationConfig(speed=SpeedConfig(factors=(factor,))), cuts))(cuts, 0)
        assert batch.waveform_lengths.tolist() == [round(samples / factor) for samples in SAMPLES]
        assert batch.time_mask is not None
        for row, length in enumerate(batch.waveform_lengths.tolist()):
            assert not batch.time_mask[row, frames_from_samples(length) :].any()
        assert batch.time_mask.shape[1] == frames_from_samples(max(batch.waveform_lengths.tolist()))
    normalized = transcribed_collator(augmenter(WITH_SPEED, cuts), is_normalized=True)(cuts, 0)
    plain = transcribed_collator(augmenter(WITH_SPEED, cuts))(cuts, 0)
    for row, length in enumerate(plain.waveform_lengths.tolist()):
        expected = normalize_waveform(plain.waveforms[row, :length].numpy())
        assert np.array_equal(normalized.waveforms[row, :length].numpy(), expected)


def test_every_factor_of_speed_is_drawn_alike(cuts: list[Cut]) -> None:
    speeds = augmenter(AugmentationConfig(speed=SpeedConfig()), cuts)
    wave = read_waveform(cuts[0])
    lengths = Counter(len(speeds.change_speed(wave, cuts[0], draw)) for draw in range(600))
    assert set(lengths) == {round(4_000 / factor) for factor in (0.9, 1.0, 1.1)}
    assert min(lengths.values()) > 150


@pytest.mark.parametrize("name", ["noise", "babble", "reverberation", "volume"])
def test_each_is_applied_as_often_as_its_probability_says(cuts: list[Cut], name: str) -> None:
    wave = read_waveform(cuts[0])[:400]
    for probability, least, most in ((0.0, 0, 0), (0.4, 20, 60), (1.0, 100, 100)):
        choice = replace(getattr(EVERYTHING, name), probability=probability)
        applied = augmenter(AugmentationConfig(**{name: choice}), cuts)
        count = sum(not np.array_equal(applied.distort(wave, cuts[0], draw), wave) for draw in range(100))
        assert least <= count <= most


def measured(noisy: Array, clean: Array) -> float:
    return 10 * np.log10(power(clean) / power(noisy.astype(np.float64) - clean))


def test_ratios_stay_in_their_range_and_fill_it(cuts: list[Cut], noises: Path) -> None:
    wave = read_waveform(cuts[3]) / 20
    for config in (
        always(noise=NoiseConfig(kinds=("pink",), snr=(0, 6))),
        always(noise=NoiseConfig(manifests=(noises,), snr=(0, 6))),
        always(babble=BabbleConfig(speakers=(2, 2), snr=(0, 6))),
    ):
        applied = augmenter(config, cuts)
        ratios = [measured(applied.distort(wave, cuts[3], draw), wave) for draw in range(60)]
        assert -1e-3 <= min(ratios) < 1.5
        assert 4.5 < max(ratios) <= 6 + 1e-3


def test_noise_comes_from_the_clips_of_the_manifest_and_from_all_their_places(cuts: list[Cut], noises: Path) -> None:
    applied = augmenter(always(noise=NoiseConfig(manifests=(noises,), snr=(-50, -50))), cuts)
    long, short = (tiny.tone(samples, number) for number, samples in enumerate((48_000, 1_000)))
    wave = read_waveform(cuts[0])
    found: Counter[str] = Counter()
    places = set()
    for draw in range(40):
        heard = applied.distort(wave, cuts[0], draw)  # at -50 decibels hardly more than the noise
        likeness = np.correlate(long, heard) / (np.linalg.norm(heard) * np.linalg.norm(long[:4000]))
        if likeness.max() > 0.9:
            found["long"] += 1
            places.add(int(likeness.argmax()) // 11_000)
        elif np.abs(heard[:3000] - heard[1000:]).max() < 0.02:
            found["short"] += 1
    assert sum(found.values()) == 40
    assert min(found["long"], found["short"]) >= 10
    assert len(places) >= 3
    assert len(short) == 1_000


def test_rooms_come_from_the_manifest_where_one_is_named(cuts: list[Cut], tmp_path: Path) -> None:
    echo = np.zeros(2_000, dtype=np.float32)
    echo[[100, 1_100]] = 0.9, 0.45
    path = tiny.write_corpus(tmp_path, samples=(2_000,), name="rooms", texts=False)
    write_audio(tmp_path / "audio" / "rooms-000.wav", echo)
    applied = augmenter(always(reverberation=ReverberationConfig(manifests=(path,))), cuts)
    wave = np.zeros(4_000, dtype=np.float32)
    wave[500] = 0.5
    heard = applied.distort(wave, cuts[0], 0)
    assert np.flatnonzero(np.abs(heard) > 0.01).tolist() == [500, 1_500]
    assert heard[1_500] / heard[500] == pytest.approx(0.5, abs=1e-3)


def test_babble_is_never_the_speaker_and_has_different_clips(cuts: list[Cut]) -> None:
    voices = Voices(cuts)
    for seed in range(50):
        chosen = voices.others(cuts[0], 3, RandomState(seed))
        assert len({cut.id for cut in chosen}) == 3
        assert all(cut.supervisions[0].speaker != "speaker 0" for cut in chosen)
    assert len(voices.others(cuts[0], 40, RandomState(0))) == 4
    stranger = replace(cuts[0], id="stranger", supervisions=[])
    assert len(voices.others(stranger, 40, RandomState(0))) == 6


def test_clips_that_name_nobody_are_others_to_all(cuts: list[Cut]) -> None:
    nameless = [replace(cut, supervisions=[replace(cut.supervisions[0], speaker=None)]) for cut in cuts]
    assert not any(map(names_speaker, nameless))
    assert all(map(names_speaker, cuts))
    chosen = Voices(nameless).others(nameless[2], 40, RandomState(0))
    assert {cut.id for cut in chosen} == {cut.id for cut in cuts} - {cuts[2].id}
    one_voice = [replace(cut, supervisions=[SupervisionSegment("s", "r", 0, 1, speaker="only")]) for cut in cuts]
    with pytest.raises(DataError, match="all clips are of one"):
        build_augmenter(AugmentationConfig(babble=BabbleConfig()), one_voice, 0)


def test_nothing_chosen_is_nothing_built(cuts: list[Cut]) -> None:
    assert build_augmenter(AugmentationConfig(), cuts, 0) is None
    assert not AugmentationConfig().is_on
    assert AugmentationConfig(volume=VolumeConfig()).is_on


@given(
    samples=st.integers(1, 3_000),
    loudness=st.sampled_from([0.0, 1e-30, 1e-4, 1.0, 1.2]),
    draw=st.integers(0, 10_000),
)
@settings(deadline=None, max_examples=60)
def test_whatever_comes_in_numbers_of_the_same_length_come_out(samples: int, loudness: float, draw: int) -> None:
    wave = (loudness * np.sin(np.arange(samples))).astype(np.float32)
    config = replace(EVERYTHING, babble=None)
    cut = MonoCut("a", 0.0, 1.0, 0)
    heard = augmenter(config, []).distort(wave, cut, draw)
    assert heard.shape == wave.shape
    assert heard.dtype == np.float32
    assert np.isfinite(heard).all()
    assert np.abs(heard).max() <= max(1, np.abs(wave).max())


def test_speed_bounds_plans() -> None:
    assert (AugmentationConfig().slowest, AugmentationConfig().fastest) == (1.0, 1.0)
    config = AugmentationConfig(speed=SpeedConfig(factors=(0.8, 0.9)))
    assert (config.slowest, config.fastest) == (0.8, 1.0)
    assert (WITH_SPEED.slowest, WITH_SPEED.fastest) == (0.9, 1.1)
    assert AugmentationConfig(speed=SpeedConfig(factors=(1.2,))).slowest == 1.0


@pytest.mark.parametrize(
    ("choices", "sentence"),
    [
        ({"noise": {}}, "name manifests of noise, or kinds"),
        ({"noise": {"kinds": ["blue"]}}, "augmentation.noise.kinds"),
        ({"noise": {"kinds": ["pink"], "probability": 1.5}}, "a probability is between 0 and 1"),
        ({"noise": {"kinds": ["pink"], "snr": [20, 5]}}, r"snr is a range \[LOW, HIGH\]"),
        ({"noise": {"kinds": ["pink"], "snr": [5]}}, "augmentation.noise.snr"),
        ({"noise": {"kinds": ["pink"], "loudness": 3}}, "'augmentation.noise.loudness' is not known"),
        ({"babble": {"speakers": [0, 3]}}, "speakers is a range"),
        ({"babble": {"speakers": [1.5, 3]}}, "augmentation.babble.speakers"),
        ({"reverberation": {"decay": [0, 1]}}, "decay is a range"),
        ({"reverberation": {"direct": [float("nan"), 1.0]}}, "direct"),
        ({"speed": {"factors": []}}, "factors of speed"),
        ({"speed": {"factors": [0.9, 9]}}, "factors of speed"),
        ({"volume": {"decibels": [0, 999]}}, "decibels is a range"),
        ({"spec_augment": {}}, "'augmentation.spec_augment' is not known"),
    ],
)
def test_bad_choices_are_told(choices: dict[str, Any], sentence: str) -> None:
    recipe = {"augmentation": choices}
    with pytest.raises(RecipeError, match=sentence):
        from_mapping(Recipe, recipe, "a recipe")


def test_good_choices_are_read_and_written(noises: Path) -> None:
    choices = {
        "noise": {"manifests": [str(noises)], "kinds": ["white"], "snr": [5, 20]},
        "babble": {"speakers": [2, 4]},
        "reverberation": {},
        "speed": {},
        "volume": {"decibels": [-3, 3]},
    }
    recipe = from_mapping(Recipe, {"augmentation": choices}, "a recipe")
    assert recipe.augmentation.noise is not None
    assert recipe.augmentation.noise.manifests == (noises,)
    assert recipe.augmentation.speed == SpeedConfig()
    assert from_mapping(Recipe, to_mapping(recipe), "again") == recipe
