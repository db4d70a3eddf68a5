import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from models.speech_units.sizes import KINDS, NUM_UNITS, VOCAB_SIZE, build
from sprachbund.errors import DataError
from sprachbund.models.encoded import Encoded

CLOSE = {"rtol": 1e-4, "atol": 1e-5}
MODELS = {kind: build(kind) for kind in KINDS}
each_kind = pytest.mark.parametrize("kind", KINDS)
with_decoder = pytest.mark.parametrize("kind", [kind for kind in KINDS if MODELS[kind].has_text_decoder])
sample_lengths = st.lists(st.integers(700, 5000), min_size=2, max_size=3)
unit_lengths = st.lists(st.integers(1, 12), min_size=2, max_size=3)


def waves(lengths: list[int], seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    waveforms = torch.randn(len(lengths), max(lengths), generator=generator) + 0.2
    for row, length in zip(waveforms, lengths, strict=True):
        row[length:] = 0
    return waveforms, torch.tensor(lengths)


def ids(lengths: list[int], size: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(4, size, (len(lengths), max(lengths)), generator=generator)
    for row, length in zip(tokens, lengths, strict=True):
        row[length:] = 1
    return tokens, torch.tensor(lengths)


def assert_row(batched: Tensor, alone: Tensor, row: int) -> None:
    torch.testing.assert_close(batched[row, : alone.shape[1]], alone[0], **CLOSE)


@each_kind
@settings(deadline=None, max_examples=3)
@given(lengths=sample_lengths, seed=st.integers(0, 99))
@torch.no_grad()
def test_speech_in_a_batch_is_speech_alone(kind, lengths, seed):
    model = MODELS[kind]
    waveforms, sizes = waves(lengths, seed)
    encoded = model.encode_speech(waveforms, sizes)
    layers = [1, 2, 4]
    states = model.layer_states(waveforms, sizes, layers).states
    logits = model.ctc_logits(encoded)
    assert logits.shape[:2] == encoded.states.shape[:2]
    for row, length in enumerate(lengths):
        alone = model.encode_speech(waveforms[[row], :length], sizes[[row]])
        assert alone.lengths == encoded.lengths[row]
        assert_row(encoded.states, alone.states, row)
        assert_row(logits, model.ctc_logits(alone), row)
        own = model.layer_states(waveforms[[row], :length], sizes[[row]], layers).states
        for batched, single in zip(states, own, strict=True):
            assert_row(batched, single, row)
    assert not encoded.states[encoded.padding_mask].any()


@each_kind
@settings(deadline=None, max_examples=3)
@given(lengths=unit_lengths, seed=st.integers(0, 99))
@torch.no_grad()
def test_units_in_a_batch_are_units_alone(kind, lengths, seed):
    model = MODELS[kind]
    units, sizes = ids(lengths, NUM_UNITS, seed)
    mask = torch.rand(units.shape, generator=torch.Generator().manual_seed(seed)) < 0.3
    encoded = model.encode_units(units, sizes, unit_mask=mask)
    for row, length in enumerate(lengths):
        alone = model.encode_units(units[[row], :length], sizes[[row]], unit_mask=mask[[row], :length])
        assert_row(encoded.states, alone.states, row)
        assert_row(model.ctc_logits(encoded), model.ctc_logits(alone), row)


@with_decoder
@settings(deadline=None, max_examples=3)
@given(lengths=sample_lengths, seed=st.integers(0, 99))
@torch.no_grad()
def test_text_one_by_one_is_text_at_once(kind, lengths, seed):
    model = MODELS[kind]
    encoded = model.encode_speech(*waves(lengths, seed))
    tokens, _ = ids([9] * len(lengths), VOCAB_SIZE, seed)
    whole = model.decode_text(tokens, encoded)
    cache = model.start_cache(encoded)
    pieces = [tokens[:, :1], tokens[:, 1:4], tokens[:, 4:5], tokens[:, 5:]]
    logits = torch.cat([model.decode_text(piece, encoded, cache=cache) for piece in pieces], dim=1)
    torch.testing.assert_close(logits, whole, **CLOSE)
    weights = model.text_attention(tokens, encoded)
    torch.testing.assert_close(weights[0].sum(dim=3), torch.ones(weights[0].shape[:3]))
    hidden = model.decode_text(tokens, encoded, token_lengths=torch.full((len(lengths),), 2))
    assert not hidden[:, 2:].any()


@with_decoder
@settings(deadline=None, max_examples=5)
@given(data=st.data())
@torch.no_grad()
def test_hypotheses_that_split_and_die_keep_their_own_past(kind, data):
    """Rows of a beam, reordered at random for longer than the list of earlier positions lasts."""
    model = MODELS[kind]
    encoded = model.encode_speech(*waves([4000, 2000]))
    cache, said, owner = model.start_cache(encoded), torch.zeros(2, 0, dtype=torch.long), torch.tensor([0, 1])
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 99)))
    for _ in range(data.draw(st.integers(1, 25))):
        new = torch.randint(4, VOCAB_SIZE, (len(said), 1), generator=generator)
        said = torch.cat([said, new], dim=1)
        logits = model.decode_text(new, encoded, cache=cache)
        memory = Encoded(encoded.states[owner], encoded.lengths[owner])
        torch.testing.assert_close(logits, model.decode_text(said, memory)[:, -1:], **CLOSE)
        count = data.draw(st.integers(1, 4))
        rows = torch.randint(0, len(said), (count,), generator=generator)
        cache.reorder(rows)
        said, owner = said[rows], owner[rows]


@each_kind
@torch.no_grad()
def test_layers_are_those_of_both_transformers(kind):
    model = MODELS[kind]
    waveforms, lengths = waves([4000, 2500])
    encoded = model.encode_speech(waveforms, lengths)
    assert model.num_layers == 4
    states = model.layer_states(waveforms, lengths, [4, 0, 3, 2]).states
    torch.testing.assert_close(states[0], encoded.states)
    torch.testing.assert_close(model.layer_states(waveforms, lengths, [2]).states[0], states[3])
    torch.testing.assert_close(model.layer_states(waveforms, lengths, [0]).states[0], states[1])
    # Without the final norm of a pre-norm stack.
    speech = model.speech_states(waveforms, lengths)
    assert torch.allclose(states[3], speech.states, **CLOSE) == (not model.encoder.norm_first)
    units, sizes = ids([7, 3], NUM_UNITS)
    below, top = model.unit_layer_states(units, sizes, [2, 4]).states
    torch.testing.assert_close(top, model.encode_units(units, sizes).states)
    padding_mask = torch.arange(7)[None] >= sizes[:, None]
    torch.testing.assert_close(below, model.unit_prenet(model.unit_prenet.embed(units), padding_mask))


@each_kind
@torch.no_grad()
def test_mixing_swaps_frames_that_are_neither_masked_nor_without_a_unit(kind):
    model = MODELS[kind]
    speech = model.speech_states(*waves([4000, 2500]))
    num_frames = speech.states.shape[1]
    units, _ = ids([num_frames, 5], NUM_UNITS)
    places = torch.arange(2 * num_frames).view(2, num_frames)
    mix, masked = places % 2 == 0, places % 3 == 0
    mixed = model.mix_units(speech, units, mix, time_mask=masked)
    swapped = mix & ~masked & (units != 1)
    assert swapped.any() and (mix & ~masked & (units == 1)).any()
    torch.testing.assert_close(mixed.states[~swapped], speech.states[~swapped])
    torch.testing.assert_close(mixed.states[swapped], model.unit_prenet.embed(units)[swapped])
    assert mixed.distance is None and torch.equal(mixed.units, units)
    again = model.mix_units(speech, units, mix, time_mask=masked, remask=True).states
    hidden = mix & masked
    torch.testing.assert_close(again[hidden], model.speech_prenet.mask_embedding.vector.expand(int(hidden.sum()), -1))
    predicted = model.mix_units(speech, units, mix, time_mask=masked, use_predicted=True)
    heard = model.unit_logits(speech.states).argmax(dim=2)
    valid = ~speech.padding_mask
    assert torch.equal(predicted.units[valid], heard[valid]) and (predicted.units[~valid] == 1).all()
    without = model.mix_units(speech, units, None, with_distance=True)
    torch.testing.assert_close(without.states, speech.states)
    assert without.distance is not None and without.distance > 0


@torch.no_grad()
def test_masked_units_are_not_seen():
    model = MODELS["speechut"]
    units, lengths = ids([6], NUM_UNITS)
    mask = torch.tensor([[False, True, False, False, True, False]])
    other = units.clone()
    other[mask] = 4 + (units[mask] - 3) % (NUM_UNITS - 4)
    first, second = (model.encode_units(each, lengths, unit_mask=mask).states for each in (units, other))
    torch.testing.assert_close(first, second)
    assert not torch.allclose(first, model.encode_units(units, lengths).states, atol=1e-3)


@torch.no_grad()
def test_the_frame_after_the_last_is_for_original_numbers():
    waveforms, lengths = waves([4000])
    ours, original = (build("speechlm", original_numerics=flag) for flag in (False, True))
    found = [model.ctc_logits(model.encode_speech(waveforms, lengths)) for model in (ours, original)]
    assert found[1].shape[1] == found[0].shape[1] + 1
    torch.testing.assert_close(found[1][:, :-1], found[0], **CLOSE)


@torch.no_grad()
def test_recordings_longer_than_the_positions_are_refused():
    model = build("speechut", max_unit_positions=5)
    with pytest.raises(DataError, match="longer than the model has positions"):
        model.encode_speech(*waves([4000]))


def test_a_model_without_units_or_text_has_no_such_parts():
    model = build("speechlm", num_units=None, vocab_size=None, has_ctc_head=False)
    assert model.unit_predictor is model.top_predictor is model.ctc_head is model.decoder is None
    assert model.config.blank is None and not model.has_text_decoder
    assert model.encode_speech(*waves([4000])).states.shape[2] == 24


@each_kind
def test_every_weight_that_is_used_learns(kind):
    model = build(kind).train()
    speech = model.speech_states(*waves([4000, 2500]), time_mask=torch.rand(2, 12) < 0.3)
    units, _ = ids([12, 7], NUM_UNITS)
    mixed = model.mix_units(speech, units, torch.rand(2, 12) < 0.3)
    top = Encoded(model.encode_states(mixed.states, speech.padding_mask), speech.lengths)
    total = model.unit_logits(speech.states).square().sum() + model.top_unit_logits(top.states).square().sum()
    total = total + model.ctc_logits(top).square().sum()
    if model.has_text_decoder:
        total = total + model.decode_text(ids([5, 5], VOCAB_SIZE)[0], top).square().sum()
    total.backward()
    silent = [name for name, weight in model.named_parameters() if weight.requires_grad and weight.grad is None]
    assert not silent
