"""What turns a waveform into the frames that units are clusters of."""

from typing import Protocol, runtime_checkable

from sprachbund.errors import VocabularyError
from sprachbund.shapes import Array, Float
from sprachbund.signal.features import mfcc
from sprachbund.tokens.units import UnitModel


@runtime_checkable
class FrameReader(Protocol):
    """A way from a waveform to frames; it is sent to other processes by pickle."""

    @property
    def name(self) -> str:
        """What the frames are; equal names give equal frames."""
        ...

    @property
    def frame_shift(self) -> float:
        """Seconds between two frames."""
        ...

    @property
    def num_channels(self) -> int:
        """Channels of a frame."""
        ...

    def __call__(self, waveform: Float[Array, " sample"]) -> Float[Array, "frame channel"]:
        """Frames of a 16 kHz waveform, whatever was read before; none where it is too short for one."""
        ...


class MfccFrames:
    """Mel-frequency cepstra with their differences, 100 frames a second (HuBERT, section IV-B)."""

    name = "mfcc"
    frame_shift = 0.01
    num_channels = 39

    def __call__(self, waveform: Float[Array, " sample"]) -> Float[Array, "frame channel"]:
        """Frames of a 16 kHz waveform."""
        return mfcc(waveform)


def require_same_frames(model: UnitModel, reader: FrameReader) -> None:
    """Refuse a unit model of other frames than those of `reader`.

    Raises:
        VocabularyError: they differ in what they are, in their rate or in their channels.
    """
    wanted = (model.feature, model.frame_shift, model.num_channels)
    given = (reader.name, reader.frame_shift, reader.num_channels)
    if wanted == given:
        return
    told = " instead of ".join(
        f"'{name}' every {1000 * shift:g} ms, {width} channels" for name, shift, width in (given, wanted)
    )
    raise VocabularyError("the unit model is one of other features", given=told, mend=_mend(model))


def _mend(model: UnitModel) -> str:
    if model.feature == MfccFrames.name:
        return "Give no encoder: these units are of MFCC."
    return "Give the encoder that the unit model was fitted on with --encoder; the layer is taken from the unit model."
