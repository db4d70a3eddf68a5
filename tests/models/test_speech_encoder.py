import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from models.hubert.sizes import KINDS, build
from models.speecht5.sizes import build as build_speecht5
from sprachbund.lengths import frames_from_samples
from sprachbund.models.speech_encoder import SpeechEncoder, SpeechEncoderConfig, waveform_layers

CLOSE = {"rtol": 1e-5, "atol": 1e-5}
MODELS: dict[str, SpeechEncoder] = {kind: build(**changes) for kind, changes in KINDS.items()}
MODELS["speecht5"] = build_speecht5().eval()
each_kind = pytest.mark.parametrize("kind", MODELS)
sample_lengths = st.lists(st.integers(400, 6000), min_size=2, max_size=3)


def waves(lengths: list[int], seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    waveforms = torch.randn(len(lengths), max(lengths), generator=generator) + 0.2
    for row, length in zip(waveforms, lengths, strict=True):
        row[length:] = 0
    return waveforms, torch.tensor(lengths)


@each_kind
@settings(deadline=None, max_examples=4)
@given(lengths=sample_lengths, seed=st.integers(0, 99))
@torch.no_grad()
def test_every_layer_of_a_batch_is_that_of_speech_alone(kind: str, lengths: list[int], seed: int):
    model = MODELS[kind]
    waveforms, sizes = waves(lengths, seed)
    layers = range(model.num_layers + 1)
    batched = model.layer_states(waveforms, sizes, layers)
    for row, length in enumerate(lengths):
        alone = model.layer_states(waveforms[row : row + 1, :length], sizes[row : row + 1], layers)
        frames = frames_from_samples(length, model.speech_prenet.frontend.strides)
        assert int(batched.lengths[row]) == int(alone.lengths[0]) == frames
        for states, own in zip(batched.states, alone.states, strict=True):
            assert own.shape == (1, frames, model.dim)
            torch.testing.assert_close(states[row, :frames], own[0], **CLOSE)
            assert not states[row, frames:].any()


@each_kind
@settings(deadline=None, max_examples=3)
@given(lengths=sample_lengths, seed=st.integers(0, 99))
@torch.no_grad()
def test_masked_speech_in_a_batch_is_speech_alone(kind: str, lengths: list[int], seed: int):
    model = MODELS[kind]
    waveforms, sizes = waves(lengths, seed)
    num_frames = frames_from_samples(max(lengths), model.speech_prenet.frontend.strides)
    generator = torch.Generator().manual_seed(seed)
    time_mask = torch.rand(len(lengths), num_frames, generator=generator) < 0.4
    channel_mask = torch.rand(len(lengths), model.dim, generator=generator) < 0.3
    batched = model.encode_speech(waveforms, sizes, time_mask=time_mask, channel_mask=channel_mask, with_energy=True)
    energies = []
    for row, length in enumerate(lengths):
        frames = frames_from_samples(length, model.speech_prenet.frontend.strides)
        alone = model.encode_speech(
            waveforms[row : row + 1, :length],
            sizes[row : row + 1],
            time_mask=time_mask[row : row + 1, :frames],
            channel_mask=channel_mask[row : row + 1],
            with_energy=True,
        )
        torch.testing.assert_close(batched.states[row, :frames], alone.states[0], **CLOSE)
        judged = model.unit_logits(batched.states[row, :frames]), model.unit_logits(alone.states[0])
        torch.testing.assert_close(*judged, rtol=1e-4, atol=1e-4)
        energies.append(alone.energy)
    torch.testing.assert_close(batched.energy, torch.stack(energies).sum(), rtol=1e-5, atol=1e-5)


@each_kind
@torch.no_grad()
def test_the_last_layer_is_what_is_encoded(kind: str):
    model = MODELS[kind]
    waveforms, sizes = waves([5000, 2000])
    encoded = model.encode_speech(waveforms, sizes)
    layers = [model.num_layers, 0, 1, model.num_layers]
    last, first, second, again = model.layer_states(waveforms, sizes, layers).states
    assert torch.equal(last, encoded.states)
    assert torch.equal(again, last)
    found = [model.layer_states(waveforms, sizes, [layer]).states[0] for layer in (0, 1)]
    assert torch.equal(found[0], first)
    assert torch.equal(found[1], second)
    assert not torch.allclose(first, second, atol=1e-2)


@each_kind
@torch.no_grad()
def test_what_is_encoded_depends_on_the_order_of_the_samples(kind: str):
    """Positions are in it: frames turned round are not the states turned round."""
    model = MODELS[kind]
    waveforms, sizes = waves([4000])
    states, turned = (model.encode_speech(wave, sizes).states for wave in (waveforms, waveforms.flip(1)))
    assert not torch.allclose(states, turned.flip(1), atol=1e-2)


def test_every_weight_of_the_encoder_learns():
    for kind in KINDS:
        model = build(**KINDS[kind])
        waveforms, sizes = waves([5000, 3000])
        mask = torch.zeros(2, frames_from_samples(5000, model.speech_prenet.frontend.strides), dtype=torch.bool)
        mask[:, 2:5] = True
        encoded = model.encode_speech(waveforms, sizes, time_mask=mask)
        (model.unit_logits(encoded.states).square().sum() + model.ctc_logits(encoded).square().sum()).backward()
        still = [name for name, weight in model.named_parameters() if weight.grad is None or not weight.grad.any()]
        # Released weights hold these norms; layers that normalise last have no use for them.
        assert all("relative_norm" in name for name in still), (kind, still)


def test_the_usual_convolutions_make_50_frames_a_second():
    layers = waveform_layers(8)
    strides = [(kernel, stride) for _, kernel, stride in layers]
    assert {channels for channels, _, _ in layers} == {8}
    assert [frames_from_samples(16_000 * seconds + 80, strides) for seconds in (1, 2)] == [50, 100]


def test_groups_of_positions_divide_the_width():
    with pytest.raises(ValueError, match=r"position_groups \(5\) must divide encoder.dim \(768\)"):
        SpeechEncoderConfig(position_groups=5)


def test_the_step_changes_nothing_here():
    model = build()
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    model.set_step(3)
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())
