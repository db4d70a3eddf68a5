from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from models.speecht5.sizes import KINDS, SPEAKER_DIM, VOCAB_SIZE, build, small_config
from sprachbund.errors import DataError
from sprachbund.lengths import frames_from_samples
from sprachbund.models.encoded import Encoded
from sprachbund.models.speecht5.config import SpeechT5Config
from sprachbund.models.speecht5.model import SpeechT5

CLOSE = {"rtol": 1e-5, "atol": 1e-5}
each_kind = pytest.mark.parametrize("kind", KINDS)
sample_lengths = st.lists(st.integers(700, 5000), min_size=2, max_size=3)


def waves(lengths: list[int], seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    waveforms = torch.randn(len(lengths), max(lengths), generator=generator) + 0.2
    for row, length in zip(waveforms, lengths, strict=True):
        row[length:] = 0
    return waveforms, torch.tensor(lengths)


def texts(lengths: list[int], seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(4, VOCAB_SIZE, (len(lengths), max(lengths)), generator=generator)
    for row, length in zip(tokens, lengths, strict=True):
        row[length:] = 1
    return tokens, torch.tensor(lengths)


def row_of(encoded: Encoded, row: int) -> Encoded:
    length = int(encoded.lengths[row])
    return Encoded(encoded.states[row : row + 1, :length], encoded.lengths[row : row + 1])


def assert_row(batched: Tensor, alone: Tensor, row: int) -> None:
    """A row of a batch, over as many positions as it has alone, is what it is alone."""
    torch.testing.assert_close(batched[row, : alone.shape[1]], alone[0], **CLOSE)


def models() -> dict[str, SpeechT5]:
    return {kind: build(**changes).eval() for kind, changes in KINDS.items()}


MODELS = models()


@each_kind
@settings(deadline=None, max_examples=3)
@given(lengths=sample_lengths, seed=st.integers(0, 99))
def test_speech_encoded_in_a_batch_is_speech_encoded_alone(kind, lengths, seed):
    model = MODELS[kind]
    waveforms, sizes = waves(lengths, seed)
    num_frames = frames_from_samples(max(lengths), model.speech_prenet.frontend.strides)
    generator = torch.Generator().manual_seed(seed)
    time_mask = torch.rand(len(lengths), num_frames, generator=generator) < 0.4
    channel_mask = torch.rand(len(lengths), model.config.encoder.dim, generator=generator) < 0.3
    batched = model.encode_speech(waveforms, sizes, time_mask=time_mask, channel_mask=channel_mask, with_energy=True)
    ctc, units = model.ctc_logits(batched), model.unit_logits(batched.states)
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
        assert alone.states.shape[1] == frames == int(batched.lengths[row])
        assert_row(batched.states, alone.states, row)
        assert not batched.states[row, frames:].any()
        assert_row(ctc, model.ctc_logits(alone), row)
        assert_row(units, model.unit_logits(alone.states), row)
        energies.append(alone.energy)
    torch.testing.assert_close(batched.energy, torch.stack(energies).sum(), rtol=1e-5, atol=1e-5)


@each_kind
@settings(deadline=None, max_examples=3)
@given(lengths=st.lists(st.integers(1, 9), min_size=2, max_size=3), seed=st.integers(0, 99))
def test_text_in_a_batch_is_text_alone(kind, lengths, seed):
    model = MODELS[kind]
    tokens, sizes = texts(lengths, seed)
    target, target_sizes = texts(lengths[::-1], seed + 1)
    positions = torch.rand(max(lengths), generator=torch.Generator().manual_seed(seed)) < 0.5
    encoded = model.encode_text(tokens, sizes)
    mixed = model.mix_codes(encoded, positions)
    logits = model.decode_text(target, mixed.encoded, token_lengths=target_sizes)
    speakers = model.classify_speaker(encoded).logits
    for row, length in enumerate(lengths):
        alone = model.encode_text(tokens[row : row + 1, :length], sizes[row : row + 1])
        assert_row(encoded.states, alone.states, row)
        assert not encoded.states[row, length:].any()
        mixed_alone = model.mix_codes(alone, positions[:length])
        assert_row(mixed.encoded.states, mixed_alone.encoded.states, row)
        own = target[row : row + 1, : int(target_sizes[row])]
        assert_row(logits, model.decode_text(own, mixed_alone.encoded), row)
        assert not logits[row, int(target_sizes[row]) :].any()
        torch.testing.assert_close(speakers[row : row + 1], model.classify_speaker(alone).logits, **CLOSE)


@each_kind
@settings(deadline=None, max_examples=3)
@given(lengths=st.lists(st.integers(1, 7), min_size=2, max_size=3), seed=st.integers(0, 99))
def test_spectrograms_in_a_batch_are_spectrograms_alone(kind, lengths, seed):
    model = MODELS[kind]
    torch.manual_seed(seed)
    tokens, sizes = texts(lengths, seed)
    frames = torch.randn(len(lengths), max(lengths), model.config.num_mels)
    speakers = torch.randn(len(lengths), SPEAKER_DIM)
    memory = model.encode_text(tokens, sizes)
    batched = model.decode_spectrogram(frames, sizes, speakers, memory, prenet_seed=seed, need_attention=True)
    assert len(batched.attention) == model.config.decoder.num_layers
    for row, length in enumerate(lengths):
        alone = model.decode_spectrogram(
            frames[row : row + 1, :length],
            sizes[row : row + 1],
            speakers[row : row + 1],
            row_of(memory, row),
            prenet_seed=seed,
        )
        assert alone.after.shape[1] == length * model.config.reduction_factor
        for name in ("before", "after", "stop_logits"):
            assert_row(getattr(batched, name), getattr(alone, name), row)


def test_perplexity_and_commitment_count_valid_frames_only():
    for rule in ("gumbel", "nearest"):
        model = build(quantizer_rule=rule).eval()
        tokens, sizes = texts([7, 3])
        encoded = model.encode_text(tokens, sizes)
        joined = torch.cat([row_of(encoded, 0).states, row_of(encoded, 1).states], dim=1)
        nowhere = torch.zeros(7, dtype=torch.bool)
        batched = model.mix_codes(encoded, nowhere).quantized
        flat = model.mix_codes(Encoded(joined, torch.tensor([10])), torch.zeros(10, dtype=torch.bool)).quantized
        torch.testing.assert_close(batched.probability_perplexity, flat.probability_perplexity)
        torch.testing.assert_close(batched.code_perplexity, flat.code_perplexity)
        assert (batched.commitment is None) == (rule == "gumbel")
        if batched.commitment is not None:
            torch.testing.assert_close(batched.commitment, flat.commitment)


def test_codes_replace_states_at_their_positions_only():
    model = build().eval()
    encoded = model.encode_text(*texts([6, 4]))
    positions = torch.tensor([True, False, True, False, True, False])
    mixed = model.mix_codes(encoded, positions)
    assert torch.equal(mixed.encoded.states[:, 1::2], encoded.states[:, 1::2])
    assert torch.equal(mixed.encoded.states[0, ::2], mixed.quantized.states[0, ::2])
    assert not torch.allclose(mixed.encoded.states[0, ::2], encoded.states[0, ::2], atol=1e-3)
    assert not mixed.encoded.states[1, 4:].any()  # padding stays zero


def test_the_seed_decides_the_codes_in_training():
    model = build().train()
    model.set_step(10**9)
    encoded = Encoded(torch.randn(2, 30, 24), torch.tensor([30, 30]))
    positions = torch.ones(30, dtype=torch.bool)
    draws = [model.mix_codes(encoded, positions, seed=seed).quantized.codes for seed in (1, 1, 2)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    model.eval()
    assert torch.equal(
        model.mix_codes(encoded, positions, seed=1).quantized.codes,
        model.mix_codes(encoded, positions, seed=2).quantized.codes,
    )


@each_kind
def test_decoding_with_a_cache_is_decoding_without(kind):
    model = MODELS[kind]
    tokens, _ = texts([8, 8, 8])
    memory = model.encode_speech(*waves([4000, 2500, 1500]))
    whole = model.decode_text(tokens, memory)
    cache = model.start_cache(memory)
    # Several at once, then one by one.
    pieces = [model.decode_text(tokens[:, a:b], memory, cache=cache) for a, b in ((0, 3), (3, 4), (4, 5), (5, 8))]
    assert cache.length == 8
    torch.testing.assert_close(torch.cat(pieces, dim=1), whole, **CLOSE)


def test_a_cache_follows_its_hypotheses():
    model = MODELS["post_norm"]
    tokens, _ = texts([5, 5])
    memory = model.encode_speech(*waves([4000, 1500]))
    cache = model.start_cache(memory)
    model.decode_text(tokens[:, :3], memory, cache=cache)
    rows = torch.tensor([1, 0, 1])
    cache.reorder(rows)
    continued = model.decode_text(tokens[rows, 3:], memory, cache=cache)
    whole = model.decode_text(tokens[rows], Encoded(memory.states[rows], memory.lengths[rows]))
    torch.testing.assert_close(continued, whole[:, 3:], **CLOSE)


@each_kind
def test_a_row_of_padding_only_gives_no_nan(kind):
    model = build(**KINDS[kind])
    model.train()
    waveforms, lengths = waves([3000, 2000, 900])
    lengths[1] = 0
    encoded = model.encode_speech(waveforms, lengths, with_energy=True)
    assert not encoded.states[1].any()
    logits = model.decode_text(texts([4, 4, 4])[0], encoded)
    assert logits.isfinite().all()
    mixed = model.mix_codes(encoded, torch.ones(encoded.states.shape[1], dtype=torch.bool))
    (logits.sum() + mixed.encoded.states.sum() + encoded.energy).backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


def test_original_numerics_leak_and_ours_do_not():
    waveforms, lengths = waves([3000])
    padded = torch.nn.functional.pad(waveforms, (0, 1500))
    leaking = build(original_numerics=True).eval()
    clean = build().eval()
    first, second = (leaking.encode_speech(w, lengths).states[:, :5] for w in (waveforms, padded))
    assert (first - second).abs().max() > 1e-2
    first, second = (clean.encode_speech(w, lengths).states[:, :5] for w in (waveforms, padded))
    torch.testing.assert_close(first, second, **CLOSE)


def test_kinds_differ():
    """The two numerics agree where nothing is padded, so that a converted model means the same."""
    waveforms, lengths = waves([3120, 3120])
    ours, theirs = (build(original_numerics=leaks).eval().encode_speech(waveforms, lengths) for leaks in (False, True))
    common = int(min(ours.lengths[0], theirs.lengths[0]))
    torch.testing.assert_close(ours.states[:, :common], theirs.states[:, :common], **CLOSE)


def test_frames_without_labels_can_be_dropped():
    waveforms, lengths = waves([4000, 900])
    model = MODELS["post_norm"]
    assert model.encode_speech(waveforms, lengths, max_frames=7).states.shape[1] == 7
    assert model.encode_speech(waveforms, lengths, max_frames=7).lengths.tolist() == [7, 2]


def test_too_short_a_batch_is_refused():
    with pytest.raises(DataError, match="too short"):
        MODELS["post_norm"].encode_speech(torch.zeros(1, 399), torch.tensor([399]))


def test_a_seed_gives_the_weights():
    first, again, other = build(1), build(1), build(2)
    weights = [dict(model.state_dict()) for model in (first, again, other)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert any(not torch.equal(weights[0][name], weights[2][name]) for name in weights[0])


def test_weights_begin_as_in_the_original_recipe():
    torch.manual_seed(0)
    model = SpeechT5(SpeechT5Config.tiny(60))
    parts = dict(model.named_parameters())
    assert parts["encoder.layers.0.attention.query.weight"].std().item() == pytest.approx(0.02, rel=0.05)
    assert parts["encoder.relative.table.weight"].std().item() == pytest.approx(0.02, rel=0.05)
    assert parts["ctc_head.weight"].std().item() == pytest.approx(0.02, rel=0.05)
    assert not parts["ctc_head.bias"].any()
    assert not parts["text_prenet.embedding.weight"][1].any()
    assert parts["speech_prenet.mask_embedding.vector"].min() >= 0
    assert parts["quantizer.codebook"].mean().item() == pytest.approx(0.5, abs=0.05)
    kernel = parts["speech_prenet.frontend.blocks.1.convolution.weight"]
    assert kernel.std().item() == pytest.approx((2 / (64 * 3)) ** 0.5, rel=0.1)


def test_text_weights_are_shared():
    model = build()
    assert model.text_head.weight is model.text_prenet.embedding.weight is model.text_decoder_prenet.embedding.weight
    apart = build(share_embeddings=False)
    assert apart.text_head.weight is not apart.text_prenet.embedding.weight
    assert apart.text_decoder_prenet.embedding is not apart.text_prenet.embedding


def test_branches_can_be_left_out():
    model = SpeechT5(small_config(has_quantizer=False, has_unit_prediction=False, num_speakers=None))
    names = {name.split(".")[0] for name in model.state_dict()}
    assert names.isdisjoint({"quantizer", "unit_predictor", "speaker_classifier"})


def test_the_frontend_learns_as_much_as_it_may():
    norms = {}
    for scale in (1.0, 0.1, 0.0):
        model = build(frontend_gradient_scale=scale).eval()
        model.encode_speech(*waves([2000, 1500])).states.square().sum().backward()
        gradient = model.speech_prenet.frontend.blocks[0].convolution.weight.grad
        norms[scale] = 0.0 if gradient is None else gradient.norm().item()
    assert norms[0.1] == pytest.approx(0.1 * norms[1.0], rel=1e-4)
    assert norms[0.0] == 0.0
    assert norms[1.0] > 0


def test_layers_drop_out_in_training_only():
    config = small_config()
    model = build(encoder=replace(config.encoder, layerdrop=0.9, dropout=0.0, attention_dropout=0.0), dropout=0.0)
    called = []
    for layer in model.encoder.layers:
        layer.register_forward_hook(lambda *_: called.append(1))
    model.eval().encode_text(*texts([5]))
    assert len(called) == 2
    called.clear()
    torch.manual_seed(3)
    for _ in range(20):
        model.train().encode_text(*texts([5]))
    assert 0 < len(called) < 20


@pytest.mark.parametrize(("size", "millions"), [("base", 154.4), ("large", 421.2)])
def test_published_sizes(size, millions):
    with torch.device("meta"):
        model = SpeechT5(getattr(SpeechT5Config, size)(81))
    assert sum(p.numel() for p in model.parameters()) / 1e6 == pytest.approx(millions, abs=0.05)
