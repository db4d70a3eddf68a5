import torch

from models.speecht5.sizes import build
from sprachbund.models.speecht5.outputs import Mixed, Spectrogram


def test_mixing_replaces_states_and_keeps_lengths_and_the_rest():
    model = build().eval()
    encoded = model.encode_speech(torch.randn(2, 4000), torch.tensor([4000, 2500]))
    positions = torch.zeros(encoded.states.shape[1], dtype=torch.bool)
    positions[1] = True
    mixed = model.mix_codes(encoded, positions)
    assert isinstance(mixed, Mixed)
    assert mixed.encoded.lengths is encoded.lengths
    changed = (mixed.encoded.states != encoded.states).any(dim=2)
    assert changed[:, 1].all() and not changed[:, ~positions].any()


def test_a_spectrogram_has_attention_only_where_it_was_wanted():
    model = build().eval()
    memory = model.encode_speech(torch.randn(1, 4000), torch.tensor([4000]))
    frames, lengths = torch.zeros(1, 3, model.config.num_mels), torch.tensor([3])
    speaker = torch.ones(1, model.config.speaker_dim or 1)
    for wanted, count in ((False, 0), (True, model.config.decoder.num_layers)):
        spoken = model.decode_spectrogram(frames, lengths, speaker, memory, need_attention=wanted, prenet_seed=1)
        assert isinstance(spoken, Spectrogram)
        steps = 3 * model.config.reduction_factor
        assert spoken.before.shape == spoken.after.shape == (1, steps, model.config.num_mels)
        assert spoken.stop_logits.shape == (1, steps) and len(spoken.attention) == count
