"""Random crops of clips that need no labels: the sound alone, or with units made of it on the spot."""

from dataclasses import dataclass

from lhotse.cut import Cut
from numpy.random import RandomState

from sprachbund.data.batches.spectrogram_targets import crop_start
from sprachbund.data.storage.waveforms import count_samples, read_part
from sprachbund.shapes import Array, Float, Int
from sprachbund.tokens.random_projection import RandomProjection


@dataclass(frozen=True, kw_only=True)
class PlainCrops:
    """Crops of at most `max_samples`, that begin at any sample."""

    max_samples: int

    def __call__(self, cut: Cut, generator: RandomState) -> Float[Array, " sample"]:
        """A crop of `cut`."""
        start = crop_start(count_samples(cut), self.max_samples, generator, samples_per_label=1)
        return read_part(cut, start, self.max_samples)


@dataclass(frozen=True, kw_only=True)
class ProjectedCrops:
    """The same, with the units that a random projection gives them."""

    max_samples: int
    projection: RandomProjection

    def __call__(self, cut: Cut, generator: RandomState) -> tuple[Float[Array, " sample"], Int[Array, " label"]]:
        """A crop of `cut` and its units."""
        waveform = PlainCrops(max_samples=self.max_samples)(cut, generator)
        return waveform, self.projection(waveform)
