from dataclasses import FrozenInstanceError, replace

import pytest
import torch

from sprachbund.models.encoded import Encoded
from sprachbund.models.speecht5.outputs import Spectrogram


def test_outputs_are_not_changed_in_place_but_replaced():
    frames = torch.zeros(2, 6, 80)
    spoken = Spectrogram(frames, frames + 1, torch.zeros(2, 6), ())
    with pytest.raises(FrozenInstanceError):
        spoken.before = frames  # type: ignore[misc] # that this is refused is what is tested
    assert torch.equal(replace(spoken, before=frames + 2).after, frames + 1)


def test_states_bring_their_own_padding_mask():
    assert Encoded(torch.zeros(1, 3, 2), torch.tensor([2])).padding_mask.tolist() == [[False, False, True]]
