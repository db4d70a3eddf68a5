import pytest
import torch
from torch import nn

from sprachbund.errors import DataError
from sprachbund.nn.positions import ScaledSinusoids, blocked_sinusoids
from sprachbund.nn.prenets import PositionShape, SpectrogramPrenet, TextDecoderPrenet, TextEncoderPrenet, WaveformPrenet
from sprachbund.nn.waveform_frontend import WaveformFrontend


def waveform_prenet(**changes):
    torch.manual_seed(0)
    frontend = WaveformFrontend(
        ((6, 10, 5), (6, 4, 4)), norm="group", bias=False, sees_padding=changes.pop("sees_padding", False)
    )
    options = {
        "positions": PositionShape(4, 2),
        "has_norm": True,
        "has_sinusoids": True,
        "dropout": 0.0,
        "gradient_scale": 1.0,
    }
    return WaveformPrenet(frontend, 6, 8, **(options | changes))


KINDS = {
    "usual": {},
    "no norm": {"has_norm": False},
    "stacked positions": {"positions": PositionShape(3, 2, 3), "has_sinusoids": False},
}


@pytest.mark.parametrize("kind", KINDS)
def test_waveforms_are_framed_alike_in_any_batch(kind):
    prenet = waveform_prenet(**KINDS[kind])
    lengths = [200, 150, 90]
    waveforms = torch.randn(3, 200)
    batched = prenet(waveforms, torch.tensor(lengths), with_energy=True)
    energies = []
    for row, length in enumerate(lengths):
        alone = prenet(waveforms[row : row + 1, :length], torch.tensor([length]), with_energy=True)
        frames = alone.states.shape[1]
        torch.testing.assert_close(batched.states[row, :frames], alone.states[0], rtol=1e-5, atol=1e-5)
        energies.append(alone.energy)
    torch.testing.assert_close(batched.energy, sum(energies))
    assert prenet(waveforms, torch.tensor(lengths)).energy is None


def test_sinusoids_and_convolution_are_added():
    prenet = waveform_prenet()
    bare = waveform_prenet(has_sinusoids=False)
    bare.load_state_dict(prenet.state_dict())
    waveforms, lengths = torch.randn(1, 200), torch.tensor([200])
    difference = prenet(waveforms, lengths).states - bare(waveforms, lengths).states
    expected = blocked_sinusoids(torch.arange(2, 2 + difference.shape[1]), 8)
    torch.testing.assert_close(difference[0], expected, rtol=1e-4, atol=1e-5)


def test_the_norm_before_the_projection_can_be_left_out():
    prenet, bare = waveform_prenet(), waveform_prenet(has_norm=False)
    bare.load_state_dict({name: weight for name, weight in prenet.state_dict().items() if not name.startswith("norm")})
    waveforms, lengths = torch.randn(1, 200), torch.tensor([200])
    usual, unusual = prenet(waveforms, lengths).states, bare(waveforms, lengths).states
    assert not torch.allclose(usual, unusual, atol=1e-3)
    prenet.norm = nn.Identity()
    assert torch.equal(prenet(waveforms, lengths).states, unusual)


def test_the_original_counts_frames_by_its_mask():
    prenet = waveform_prenet(sees_padding=True)
    lengths, num_frames = prenet.frame_lengths(torch.tensor([200, 101]), 200)
    assert num_frames == 9
    assert lengths.tolist() == [9, 5]  # runs of 22 samples; the convolutions alone would yield 4
    assert waveform_prenet().frame_lengths(torch.tensor([200, 101]), 200)[0].tolist() == [9, 4]
    assert prenet.frame_lengths(torch.tensor([200, 101]), 200, 6)[0].tolist() == [6, 4]


def test_no_frame_is_an_error():
    with pytest.raises(DataError, match="too short"):
        waveform_prenet()(torch.zeros(1, 24), torch.tensor([24]))


def test_text_prenets_add_their_positions():
    embedding = nn.Embedding(9, 6, padding_idx=1)
    tokens = torch.tensor([[4, 5, 1]])
    encoder = TextEncoderPrenet(embedding, ScaledSinusoids(0.0))
    assert encoder(tokens).shape == (1, 3, 6)
    options = {"dropout": 0.0, "is_scaled": False, "has_positions": True, "has_norm": False}
    plain = TextDecoderPrenet(embedding, **options)
    expected = embedding(tokens) + blocked_sinusoids(torch.tensor([2, 3, 4]), 6)
    torch.testing.assert_close(plain(tokens), expected)
    torch.testing.assert_close(plain(tokens[:, 1:], first=1), expected[:, 1:])
    bare = TextDecoderPrenet(embedding, **(options | {"has_positions": False, "is_scaled": True}))
    torch.testing.assert_close(bare(tokens), embedding(tokens) * 6**0.5)
    normed = TextDecoderPrenet(embedding, **(options | {"has_norm": True}))
    torch.testing.assert_close(normed(tokens).mean(2), torch.zeros(1, 3), rtol=0, atol=1e-5)
    learned = TextDecoderPrenet(embedding, learned=nn.Embedding(6, 6), **options)
    assert learned.learned is not None
    expected = embedding(tokens) + learned.learned.weight[2:5]
    torch.testing.assert_close(learned(tokens), expected)
    torch.testing.assert_close(learned(tokens[:, 1:], first=1), expected[:, 1:])


def spectrogram_prenet(**changes):
    torch.manual_seed(0)
    options = {"dropout": 0.5, "positions": ScaledSinusoids(0.0), "speaker_dim": 3}
    return SpectrogramPrenet(changes.pop("num_mels", 4), 10, 2, 6, **(options | changes)).eval()


def test_the_dropout_never_rests_and_follows_its_seed():
    prenet = spectrogram_prenet()
    frames, speakers = torch.randn(2, 5, 4), torch.randn(2, 3)
    assert not torch.equal(prenet(frames, speakers), prenet(frames, speakers))
    seeded = prenet(frames, speakers, seed=7)
    assert torch.equal(seeded, prenet(frames, speakers, seed=7))
    assert not torch.equal(seeded, prenet(frames, speakers, seed=8))
    # A frame's draw depends on its position alone: not on the length, the other rows, or a cache.
    torch.testing.assert_close(prenet(frames[1:, :2], speakers[1:], seed=7), seeded[1:, :2])
    torch.testing.assert_close(prenet(frames[:, 3:], speakers, first=3, seed=7), seeded[:, 3:])


def test_the_dropout_of_the_layers_differs():
    prenet = spectrogram_prenet(num_mels=10)
    with torch.no_grad():
        for layer in prenet.layers:
            layer.weight.copy_(torch.eye(10))
            layer.bias.zero_()
    seen = []
    prenet.projection.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    prenet(torch.ones(1, 200, 10), torch.randn(1, 3), seed=7)
    # What passes both layers passed each by half.
    assert set(seen[0].unique().tolist()) == {0.0, 4.0}
    assert abs((seen[0] > 0).float().mean().item() - 0.25) < 0.05


def test_speakers_count_by_direction_only():
    prenet = spectrogram_prenet(dropout=0.0)
    frames, speakers = torch.randn(2, 5, 4), torch.randn(2, 3)
    torch.testing.assert_close(prenet(frames, speakers), prenet(frames, 4 * speakers))
    assert not torch.allclose(prenet(frames, speakers), prenet(frames, -speakers), atol=1e-3)
    assert spectrogram_prenet(dropout=0.0, speaker_dim=None)(frames, None).shape == (2, 5, 6)
