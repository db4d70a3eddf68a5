import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tiny
from sprachbund.data.frame_reader import FrameReader, MfccFrames, require_same_frames
from sprachbund.errors import VocabularyError
from sprachbund.signal.features import mfcc
from sprachbund.tokens.units import UnitModel


def test_mfcc_are_a_reader() -> None:
    reader = MfccFrames()
    assert isinstance(reader, FrameReader)
    frames = reader(tiny.tone(8000))
    assert frames.shape == (50, reader.num_channels)
    assert np.array_equal(frames, mfcc(tiny.tone(8000)))


@given(
    name=st.sampled_from(["mfcc", "hubert:ab:3"]),
    shift=st.sampled_from([0.01, 0.02]),
    channels=st.sampled_from([39, 40]),
)
def test_only_the_same_frames_pass(name: str, shift: float, channels: int) -> None:
    units = UnitModel(np.eye(2, channels, dtype=np.float32), name, shift)
    if (name, shift, channels) == ("mfcc", 0.01, 39):
        require_same_frames(units, MfccFrames())
        return
    with pytest.raises(VocabularyError, match="one of other features") as caught:
        require_same_frames(units, MfccFrames())
    assert f"instead of '{name}' every {1000 * shift:g} ms, {channels} channels" in str(caught.value)
    assert ("--encoder" in str(caught.value)) == (name != "mfcc")
