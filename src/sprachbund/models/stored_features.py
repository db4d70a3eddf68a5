"""Frames of a layer of an encoder in a model folder, for work in several processes: each loads the encoder once."""

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import torch

from sprachbund.data.frame_reader import FrameReader, require_same_frames
from sprachbund.data.units import MFCC
from sprachbund.errors import RecipeError, VocabularyError
from sprachbund.models.features import EncoderFeatures, load_encoder
from sprachbund.shapes import Array, Float
from sprachbund.tokens.units import UnitModel


@dataclass(frozen=True)
class StoredEncoderFeatures:
    """A frame reader that is small to send: it names the folder, and every process reads it when it is first used.

    Args:
        folder: a model folder.
        layer: 0 for what the first layer reads, k for the output of layer k.

    Raises:
        CheckpointError: the folder is not a sound model folder.
        RecipeError: the encoder has no such layer.
    """

    folder: Path
    layer: int
    name: str = field(init=False)
    frame_shift: float = field(init=False)
    num_channels: int = field(init=False)

    def __post_init__(self) -> None:
        features = _load(self.folder.resolve(), self.layer)
        for key in ("name", "frame_shift", "num_channels"):
            object.__setattr__(self, key, getattr(features, key))

    def __call__(self, waveform: Float[Array, " sample"]) -> Float[Array, "frame channel"]:
        """Frames of a 16 kHz waveform, computed on one thread: several would add up in another order."""
        features = _load(self.folder.resolve(), self.layer)
        if features.name != self.name:
            raise VocabularyError(
                "the encoder was changed while its frames were read", where=self.folder, mend="Give the command again."
            )
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            return features(waveform)
        finally:
            torch.set_num_threads(threads)


def reader_of(model: Path | None, layer: int | None) -> FrameReader:
    """What reads the frames of a layer of an encoder; of neither, MFCC.

    Raises:
        RecipeError: a layer without a model, a model without a layer, or a layer that the model lacks.
        CheckpointError: the folder is not a sound model folder.
    """
    if model is None and layer is None:
        return MFCC
    if model is None or layer is None:
        raise RecipeError(
            "an encoder and its layer belong together",
            given=f"model {model}, layer {layer}",
            mend="Give both, or neither for MFCC.",
        )
    return StoredEncoderFeatures(model, layer)


def reader_for(units: UnitModel, encoder: Path | None) -> FrameReader:
    """What reads the frames that a unit model was fitted on; the layer of the encoder is the one that it names.

    Raises:
        VocabularyError: an encoder is wanted and missing, or given and another one.
        CheckpointError: the folder is not a sound model folder.
    """
    reader: FrameReader = MFCC
    if encoder is not None:
        layer = units.feature.rpartition(":")[2]
        is_layer = units.feature.count(":") == 2 and layer.isascii() and layer.isdigit()
        # A unit model of something else is refused just below, whichever layer is read.
        reader = StoredEncoderFeatures(encoder, int(layer) if is_layer else 0)
    require_same_frames(units, reader)
    return reader


@lru_cache(maxsize=1)
def _load(folder: Path, layer: int) -> EncoderFeatures:
    return EncoderFeatures(load_encoder(folder), layer)
