"""What a recipe's choices of augmentation do to each clip in collation.

Whatever is drawn for a clip is seeded by run seed, draw, clip and purpose, so the same clip in the same draw sounds the
same in whatever worker, beside whatever neighbours and after whatever restart it is collated. Speed comes first, as it
changes lengths; then, each with its own probability, the room, noise, babble and volume.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from lhotse.cut import Cut
from numpy.random import RandomState

from sprachbund.data.batches.masking import row_generator
from sprachbund.data.storage.manifest import read_cuts
from sprachbund.data.storage.waveforms import count_samples, read_part, read_waveform
from sprachbund.errors import DataError
from sprachbund.shapes import Array, Float
from sprachbund.signal.augment.noise import NoiseKind, add_noise, babble, change_volume, fit_length, synthetic_noise
from sprachbund.signal.augment.reverberation import reverberate, simulated_response
from sprachbund.signal.augment.speed import change_speed

Waveform = Float[Array, " sample"]


@dataclass(frozen=True, kw_only=True)
class NoiseConfig:
    """Noise from recordings, made up, or both: each manifest and each kind is as likely as any other."""

    manifests: tuple[Path, ...] = ()
    kinds: tuple[NoiseKind, ...] = ()
    probability: float = 0.3
    snr: tuple[float, float] = (5.0, 20.0)  # decibels, uniform between the two

    def __post_init__(self) -> None:
        _check_chance(self.probability)
        _check_range("snr", self.snr, -50, 100)
        if not self.manifests and not self.kinds:
            raise ValueError("name manifests of noise, or kinds of it (white, pink, brown)")


@dataclass(frozen=True, kw_only=True)
class BabbleConfig:
    """Other speakers of the training clips, several at once."""

    speakers: tuple[int, int] = (3, 7)  # clips, uniform between the two
    probability: float = 0.2
    snr: tuple[float, float] = (10.0, 20.0)

    def __post_init__(self) -> None:
        _check_chance(self.probability)
        _check_range("snr", self.snr, -50, 100)
        _check_range("speakers", self.speakers, 1, 50)


@dataclass(frozen=True, kw_only=True)
class ReverberationConfig:
    """Impulse responses from recordings; simulated rooms where no manifest is named."""

    manifests: tuple[Path, ...] = ()
    probability: float = 0.3
    decay: tuple[float, float] = (0.2, 0.8)  # of simulated rooms: seconds to fall by 60 decibels
    direct: tuple[float, float] = (0.0, 12.0)  # of simulated rooms: decibels of direct sound over reverberation

    def __post_init__(self) -> None:
        _check_chance(self.probability)
        _check_range("decay", self.decay, 0.01, 10)
        _check_range("direct", self.direct, -50, 100)


@dataclass(frozen=True, kw_only=True)
class SpeedConfig:
    """Factors of speed, equally likely (Ko et al., 2015)."""

    factors: tuple[float, ...] = (0.9, 1.0, 1.1)

    def __post_init__(self) -> None:
        if not self.factors or not all(0.5 <= factor <= 2 for factor in self.factors):
            raise ValueError("factors of speed are between 0.5 and 2, and there is at least one")


@dataclass(frozen=True, kw_only=True)
class VolumeConfig:
    """Louder or softer, never beyond full scale."""

    probability: float = 1.0
    decibels: tuple[float, float] = (-15.0, 5.0)

    def __post_init__(self) -> None:
        _check_chance(self.probability)
        _check_range("decibels", self.decibels, -60, 60)


@dataclass(frozen=True, kw_only=True)
class AugmentationConfig:
    """How training clips are changed; what is null is off. Held-out clips stay as they are."""

    noise: NoiseConfig | None = None
    babble: BabbleConfig | None = None
    reverberation: ReverberationConfig | None = None
    speed: SpeedConfig | None = None
    volume: VolumeConfig | None = None

    @property
    def is_on(self) -> bool:
        """Whether anything is chosen."""
        return self != AugmentationConfig()

    @property
    def slowest(self) -> float:
        """The least factor of speed, at most 1: clips may become one over it as long."""
        return min(1.0, *self.speed.factors) if self.speed else 1.0

    @property
    def fastest(self) -> float:
        """The greatest factor of speed, at least 1."""
        return max(1.0, *self.speed.factors) if self.speed else 1.0


class Voices:
    """Clips to make babble of, by speaker; a clip that names no speaker counts as another's than all the rest.

    Raises:
        DataError: all clips are of one speaker.
    """

    def __init__(self, cuts: Sequence[Cut]) -> None:
        self._cuts = list(cuts)
        self._numbers: dict[tuple[str, str], int] = {}
        owners = [self._numbers.setdefault(_speaker(cut), len(self._numbers)) for cut in self._cuts]
        self._owners = np.array(owners, dtype=np.int64)
        if len(self._numbers) < 2:
            raise DataError(
                "babble wants clips of other speakers, and all clips are of one",
                given=f"{len(self._cuts)} clips",
                mend="Leave augmentation.babble out, or train on a corpus of several speakers as well.",
            )

    def others(self, cut: Cut, count: int, generator: RandomState) -> list[Cut]:
        """Up to `count` different clips of other speakers than that of `cut`."""
        candidates = np.flatnonzero(self._owners != self._numbers.get(_speaker(cut), -1))
        chosen = generator.choice(len(candidates), min(count, len(candidates)), replace=False)
        return [self._cuts[number] for number in candidates[chosen]]


@dataclass(frozen=True, kw_only=True)
class Augmenter:
    """The choices of a recipe with the clips they take sound from."""

    seed: int
    config: AugmentationConfig
    noises: tuple[Sequence[Cut], ...] = ()  # of each manifest
    responses: Sequence[Cut] = ()
    voices: Voices | None = None

    def change_speed(self, waveform: Waveform, cut: Cut, draw: int) -> Float[Array, " changed"]:
        """The waveform of `cut` at the speed drawn for it."""
        if self.config.speed is None:
            return waveform
        generator = row_generator(self.seed, draw, cut.id, "speed")
        return change_speed(waveform, float(generator.choice(self.config.speed.factors)))

    def distort(self, waveform: Waveform, cut: Cut, draw: int) -> Waveform:
        """The waveform of `cut`, or of a part of it, as a worse microphone would hear it; as long, and aligned."""
        effects: tuple[tuple[str, Callable[[Waveform, Cut, RandomState], Waveform]], ...] = (
            ("reverberation", self._reverberate),
            ("noise", self._add_noise),
            ("babble", self._add_babble),
            ("volume", self._change_volume),
        )
        for purpose, effect in effects:
            choice = getattr(self.config, purpose)
            if choice is not None:
                generator = row_generator(self.seed, draw, cut.id, purpose)
                if generator.rand() < choice.probability:
                    waveform = effect(waveform, cut, generator)
        return waveform

    def _reverberate(self, waveform: Waveform, cut: Cut, generator: RandomState) -> Waveform:
        choice = self.config.reverberation
        assert choice is not None
        if self.responses:
            response = read_waveform(self.responses[generator.randint(len(self.responses))])
        else:
            response = simulated_response(
                generator.uniform(*choice.decay), generator.uniform(*choice.direct), generator
            )
        return reverberate(waveform, response)

    def _add_noise(self, waveform: Waveform, cut: Cut, generator: RandomState) -> Waveform:
        choice = self.config.noise
        assert choice is not None
        decibels = generator.uniform(*choice.snr)
        source = generator.randint(len(self.noises) + len(choice.kinds))
        if source < len(self.noises):
            clips = self.noises[source]
            noise = _part(clips[generator.randint(len(clips))], len(waveform), generator)
        else:
            noise = synthetic_noise(len(waveform), choice.kinds[source - len(self.noises)], generator)
        return add_noise(waveform, noise, decibels)

    def _add_babble(self, waveform: Waveform, cut: Cut, generator: RandomState) -> Waveform:
        choice = self.config.babble
        assert choice is not None
        assert self.voices is not None
        decibels = generator.uniform(*choice.snr)
        count = generator.randint(choice.speakers[0], choice.speakers[1] + 1)
        clips = [_part(other, len(waveform), generator) for other in self.voices.others(cut, count, generator)]
        return add_noise(waveform, babble(clips, len(waveform), generator), decibels)

    def _change_volume(self, waveform: Waveform, cut: Cut, generator: RandomState) -> Waveform:
        choice = self.config.volume
        assert choice is not None
        return change_volume(waveform, generator.uniform(*choice.decibels))


def build_augmenter(config: AugmentationConfig, cuts: Sequence[Cut], seed: int) -> Augmenter | None:
    """What makes `config` true for training clips; None where nothing is chosen.

    Args:
        config: of the recipe.
        cuts: all training clips, to take babble from.
        seed: of the run.

    Raises:
        DataError: a manifest cannot be read, or babble is wanted of one speaker.
    """
    if not config.is_on:
        return None
    noises = config.noise.manifests if config.noise else ()
    responses = config.reverberation.manifests if config.reverberation else ()
    return Augmenter(
        seed=seed,
        config=config,
        noises=tuple(list(read_cuts(path)) for path in noises),
        responses=[cut for path in responses for cut in read_cuts(path)],
        voices=Voices(cuts) if config.babble else None,
    )


def names_speaker(cut: Cut) -> bool:
    """Whether the cut says who speaks."""
    return bool(_speaker(cut)[1])


def _speaker(cut: Cut) -> tuple[str, str]:
    """A key for who speaks: the cut itself where it names nobody."""
    names = sorted({str(said.speaker) for said in cut.supervisions if said.speaker})
    return ("", ",".join(names)) if names else (cut.id, "")


def _part(cut: Cut, num_samples: int, generator: RandomState) -> Waveform:
    """A random part of a clip, read without the rest; over and over where the clip is shorter."""
    spare = max(0, count_samples(cut) - num_samples)
    return fit_length(read_part(cut, generator.randint(0, spare + 1), num_samples), num_samples, generator)


def _check_chance(probability: float) -> None:
    if not 0 <= probability <= 1:
        raise ValueError("a probability is between 0 and 1")


def _check_range(name: str, values: tuple[float, float], lowest: float, highest: float) -> None:
    if not lowest <= values[0] <= values[1] <= highest:
        raise ValueError(f"{name} is a range [LOW, HIGH] between {lowest} and {highest}")
