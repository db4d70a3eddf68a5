"""Random crops of clips: the sound alone, with the units that the clip brings, or with units made on the spot."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from lhotse.cut import Cut
from numpy.random import RandomState

from sprachbund.data.batches.spectrogram_targets import FRAME_RATE, crop_start, crop_units, samples_per_label
from sprachbund.data.storage.waveforms import count_samples, read_part, refuse_changed_speed
from sprachbund.data.units import load_units
from sprachbund.lengths import frames_from_samples
from sprachbund.shapes import Array, Float, Int
from sprachbund.tokens.random_projection import RandomProjection

NUM_SPECIALS = 4  # a unit's dictionary id is its k-means id after <s>, <pad>, </s> and <unk>


@dataclass(frozen=True, kw_only=True)
class PlainCrops:
    """Crops of at most `max_samples`, that begin at any sample."""

    max_samples: int

    def __call__(self, cut: Cut, generator: RandomState) -> Float[Array, " sample"]:
        """A crop of `cut`."""
        start = crop_start(count_samples(cut), self.max_samples, generator, samples_per_label=1)
        return read_part(cut, start, self.max_samples)


@dataclass(frozen=True, kw_only=True)
class LabelledCrops:
    """Random crops of labelled clips: the sound and the units of the same stretch."""

    label_rate: int
    unit_fingerprint: str
    max_samples: int

    def __call__(self, cut: Cut, generator: RandomState) -> tuple[Float[Array, " sample"], Int[Array, " label"]]:
        """A crop of `cut`.

        Raises:
            VocabularyError: the cut has no units of this unit model.
            DataError: its speed was changed, or it has fewer units than frames.
        """
        refuse_changed_speed(cut)
        units = load_units(cut, self.unit_fingerprint).astype(np.int64)
        start = crop_start(
            count_samples(cut),
            self.max_samples,
            generator,
            samples_per_label=samples_per_label(self.label_rate),
        )
        step, per_frame = samples_per_label(self.label_rate), self.label_rate // FRAME_RATE
        needed = frames_from_samples(min(self.max_samples, count_samples(cut))) * per_frame
        # Labels of whole frames end up to a frame before the sound does; a crop may not begin in that rest.
        beyond = start // step + needed - len(units)
        start -= step * beyond if 0 < beyond < per_frame else 0
        waveform = read_part(cut, start, self.max_samples)
        return waveform, crop_units(units, start, len(waveform), self.label_rate)


@dataclass(frozen=True, kw_only=True)
class ProjectedCrops:
    """Plain crops with the units that a random projection gives them."""

    max_samples: int
    projection: RandomProjection

    def __call__(self, cut: Cut, generator: RandomState) -> tuple[Float[Array, " sample"], Int[Array, " label"]]:
        """A crop of `cut` and its units."""
        waveform = PlainCrops(max_samples=self.max_samples)(cut, generator)
        return waveform, self.projection(waveform)


UnitCrops = Callable[[Cut, RandomState], tuple[Float[Array, " sample"], Int[Array, " label"]]]
"""What makes of a clip a crop and the units of it."""
