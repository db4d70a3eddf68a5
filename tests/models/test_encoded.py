import torch

from sprachbund.models.encoded import Encoded, EncodedSpeech


def test_the_padding_mask_follows_the_lengths():
    encoded = Encoded(torch.zeros(3, 4, 2), torch.tensor([4, 1, 0]))
    assert encoded.padding_mask.tolist() == [[False] * 4, [False, True, True, True], [True] * 4]


def test_speech_is_encoded_without_an_energy_unless_it_is_wanted():
    assert EncodedSpeech(torch.zeros(1, 2, 2), torch.tensor([2])).energy is None
