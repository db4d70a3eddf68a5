import itertools
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from decoding.fake_decoder import FakeDecoder, FakeMemory, decode_attention, decode_attention_n_best, utterances_of
from sprachbund.decoding.search.attention import select_rows
from sprachbund.decoding.search.roles import BeamConfig
from sprachbund.errors import CheckpointError

CONFIG = BeamConfig(beam=4, max_tokens=12, max_tokens_per_frame=1.5, forbidden=(0, 1))


def greedy_oracle(decoder, utterance, config):
    """Argmax decoding without a cache, a beam or a batch."""
    memory = FakeMemory.of([utterance])
    tokens, total = [], 0.0
    while True:
        log_probs = decoder.decode_text(torch.tensor([[2, *tokens]]), memory)[0, -1].log_softmax(dim=0)
        allowed = log_probs.clone()
        allowed[list(config.forbidden)] = -torch.inf
        if len(tokens) < config.min_tokens:
            allowed[2] = -torch.inf
        token = 2 if len(tokens) == config.limit(len(utterance)) else int(allowed.argmax())
        total += float(log_probs[token])
        if token == 2:
            return tuple(tokens), total
        tokens.append(token)


def exhaustive_oracle(decoder, utterance, config):
    """The best of every possible transcript."""
    memory = FakeMemory.of([utterance])
    words = [token for token in range(decoder.output.shape[1]) if token not in (*config.forbidden, 2)]
    best = (-torch.inf, ())
    for length in range(config.min_tokens, config.limit(len(utterance)) + 1):
        for tokens in itertools.product(words, repeat=length):
            log_probs = decoder.decode_text(torch.tensor([[2, *tokens]]), memory)[0].log_softmax(dim=1)
            total = float(log_probs[torch.arange(length + 1), torch.tensor([*tokens, 2])].sum())
            best = max(best, (total / (length + 1) ** config.length_penalty, tokens))
    return best


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 999), lengths=st.lists(st.integers(1, 7), min_size=1, max_size=4))
def test_beam_of_one_is_greedy(seed, lengths):
    decoder, utterances = FakeDecoder(seed=seed), utterances_of(lengths, seed)
    config = replace(CONFIG, beam=1)
    found = decode_attention(decoder, FakeMemory.of(utterances), config)
    for hypothesis, utterance in zip(found, utterances, strict=True):
        tokens, total = greedy_oracle(decoder, utterance, config)
        assert hypothesis.tokens == tokens
        assert hypothesis.log_probability == pytest.approx(total, abs=1e-4)


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 999), penalty=st.sampled_from([0.0, 0.7, 1.0, 2.0]), min_tokens=st.integers(0, 2))
def test_a_beam_that_holds_everything_finds_the_best_transcript(seed, penalty, min_tokens):
    decoder, (utterance,) = FakeDecoder(vocab=5, seed=seed, sharpness=1.0), utterances_of([3], seed)
    config = BeamConfig(
        beam=100, max_tokens=4, max_tokens_per_frame=1.0, length_penalty=penalty, min_tokens=min_tokens, forbidden=(1,)
    )
    score, tokens = exhaustive_oracle(decoder, utterance, config)
    (hypothesis,) = decode_attention(decoder, FakeMemory.of([utterance]), config)
    assert hypothesis.score == pytest.approx(score, abs=1e-5)
    assert hypothesis.tokens == tokens


@settings(deadline=None, max_examples=6)
@given(seed=st.integers(0, 999), padding=st.integers(0, 3), data=st.data())
def test_same_transcript_at_every_batch_size_and_order(seed, padding, data):
    decoder, utterances = FakeDecoder(seed=seed), utterances_of([3, 1, 6, 2, 5, 4, 6], seed)
    alone = [decode_attention(decoder, FakeMemory.of([utterance]), CONFIG)[0] for utterance in utterances]
    for size in (2, 7):
        order = data.draw(st.permutations(range(7)))
        for start in range(0, 7, size):
            places = order[start : start + size]
            memory = FakeMemory.of([utterances[place] for place in places], padding)
            for hypothesis, place in zip(decode_attention(decoder, memory, CONFIG), places, strict=True):
                assert hypothesis.tokens == alone[place].tokens
                assert hypothesis.score == pytest.approx(alone[place].score, abs=1e-5)


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 999), num_best=st.integers(2, 6))
def test_the_best_does_not_depend_on_how_many_are_asked_for(seed, num_best):
    decoder, memory = FakeDecoder(seed=seed), FakeMemory.of(utterances_of([5, 3], seed))
    for best, several in zip(
        decode_attention(decoder, memory, CONFIG),
        decode_attention_n_best(decoder, memory, replace(CONFIG, num_best=num_best)),
        strict=True,
    ):
        assert several[0] == best
        assert 1 <= len(several) <= num_best
        assert len({hypothesis.tokens for hypothesis in several}) == len(several)
        scores = [hypothesis.score for hypothesis in several]
        assert scores == sorted(scores, reverse=True)


def test_an_utterance_without_frames_is_empty_and_costs_nothing():
    decoder, utterances = FakeDecoder(), utterances_of([4, 0, 2])
    found = decode_attention(decoder, FakeMemory.of(utterances), CONFIG)
    assert (found[1].tokens, found[1].score) == ((), 0.0)
    for place in (0, 2):
        assert found[place].tokens == greedy_or_beam(decoder, utterances[place])
    silent = FakeDecoder()
    assert decode_attention(silent, FakeMemory.of(utterances_of([0, 0])), CONFIG)[1].tokens == ()
    assert silent.calls == 0


def greedy_or_beam(decoder, utterance):
    return decode_attention(decoder, FakeMemory.of([utterance]), CONFIG)[0].tokens


def test_finished_utterances_leave_the_rows():
    decoder = FakeDecoder(sharpness=0.1)
    config = BeamConfig(beam=3, max_tokens=20, max_tokens_per_frame=1.0, min_tokens=20, forbidden=(0, 1))
    found = decode_attention(decoder, FakeMemory.of(utterances_of([2, 9])), config)
    assert [len(hypothesis.tokens) for hypothesis in found] == [2, 9]
    assert decoder.rows == [2, 6, 6] + [3] * 7


def test_beam_larger_than_the_vocabulary():
    decoder, memory = FakeDecoder(vocab=4), FakeMemory.of(utterances_of([5, 2]))
    config = replace(CONFIG, beam=50, num_best=50, max_tokens=4)
    for hypotheses in decode_attention_n_best(decoder, memory, config):
        assert len(hypotheses) > 1
        assert all(set(hypothesis.tokens) <= {3} for hypothesis in hypotheses)


def test_forbidden_tokens_are_never_emitted():
    decoder = FakeDecoder(seed=3)
    decoder.output[:, 5] *= 40.0
    config = replace(CONFIG, forbidden=(0, 1, 5), num_best=4)
    for hypotheses in decode_attention_n_best(decoder, FakeMemory.of(utterances_of([6, 6, 6])), config):
        assert all(not {0, 1, 2, 5} & set(hypothesis.tokens) for hypothesis in hypotheses)


def test_decoder_that_gives_no_numbers():
    decoder = FakeDecoder()
    decoder.output[:] = torch.nan
    with pytest.raises(CheckpointError, match="not numbers"):
        decode_attention(decoder, FakeMemory.of(utterances_of([3])), CONFIG)


def test_select_rows_takes_every_field_of_the_batch():
    memory = FakeMemory.of(utterances_of([3, 2, 4]))
    chosen = select_rows(memory, torch.tensor([2, 2, 0, 1]))
    assert chosen.lengths.tolist() == [4, 4, 3, 2]
    assert chosen.marks.tolist() == [2, 2, 0, 1]
    assert torch.equal(chosen.states[0], memory.states[2])
    assert chosen.shared is memory.shared
    with pytest.raises(TypeError):
        select_rows(type("Plain", (), {"lengths": memory.lengths, "states": memory.states})(), torch.tensor([0]))
