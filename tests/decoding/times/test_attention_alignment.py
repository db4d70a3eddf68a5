from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import tiny
from sprachbund.decoding.hypothesis import Hypothesis
from sprachbund.decoding.times.attention_alignment import attention_token_times, attention_word_times
from sprachbund.decoding.times.timestamps import FRAME_SECONDS, MARGIN
from sprachbund.models.encoded import Encoded
from sprachbund.tokens.vocabulary import EOS


class Looking:
    """A decoder whose attention is told: layer, head, token, frame."""

    def __init__(self, weights: torch.Tensor) -> None:
        self.weights = weights
        self.read: list[list[int]] = []

    def text_attention(self, tokens, memory):
        self.read = tokens.tolist()
        return tuple(layer[None] for layer in self.weights)


def memory_of(num_frames: int) -> Encoded:
    return Encoded(torch.zeros(1, num_frames, 2), torch.tensor([num_frames]))


@pytest.fixture(scope="module")
def model():
    return tiny.tiny_model()


@pytest.fixture(scope="module")
def memory() -> Encoded:
    """Utterances of different length, two of them of no frame and of one; what is behind them must not be read."""
    lengths = torch.tensor([27, 0, 1, 40, 12])
    states = torch.randn(5, 43, 32, generator=torch.Generator().manual_seed(1))
    return Encoded(states, lengths)


def alone_in(memory: Encoded, row: int) -> Encoded:
    length = int(memory.lengths[row])
    return Encoded(memory.states[row : row + 1, :length], memory.lengths[row : row + 1])


@settings(deadline=None, max_examples=10)
@given(st.lists(st.lists(st.integers(3, 10), max_size=12), min_size=5, max_size=5), st.permutations(range(5)))
def test_every_token_has_a_time_in_order_inside_the_recording_alone_and_in_any_batch(model, memory, lines, order):
    alone = [attention_token_times(model, alone_in(memory, row), [line])[0] for row, line in enumerate(lines)]
    for times, line, num_frames in zip(alone, lines, memory.lengths.tolist(), strict=True):
        assert len(times) == len(line)
        assert all(0 <= one.start <= one.end <= num_frames * FRAME_SECONDS + 1e-9 for one in times)
        assert all(before.end <= after.start + 1e-9 for before, after in pairwise(times))
    shuffled = Encoded(memory.states[list(order)], memory.lengths[list(order)])
    found = attention_token_times(model, shuffled, [lines[place] for place in order])
    assert found == [alone[place] for place in order]


def test_frames_go_to_the_tokens_that_look_at_them_in_order():
    weights = torch.full((1, 1, 4, 8), 0.01)
    # The token at place k looks where it comes from; the last row, the end of the sentence, at the end.
    for token, frames in enumerate([(0, 1), (2, 3, 4), (5,), (6, 7)]):
        weights[0, 0, token, list(frames)] = 0.9
    decoder = Looking(weights)
    (times,) = attention_token_times(decoder, memory_of(8), [(5, 6, 7)])
    assert decoder.read == [[EOS, 5, 6, 7]]
    assert [round(one.end / FRAME_SECONDS) for one in times] == [2, 5, 6]
    # A look back is not followed: tokens stay in their order.
    weights[0, 0, 2] = 0.01
    weights[0, 0, 2, 0] = 0.9
    (times,) = attention_token_times(decoder, memory_of(8), [(5, 6, 7)])
    assert all(before.end <= after.start for before, after in pairwise(times))


def test_layers_are_averaged_or_chosen():
    weights = torch.full((2, 2, 2, 6), 0.01)
    weights[0, :, 0, :2] = weights[0, :, 1, 2:] = 0.3
    weights[1, :, 0, :5] = weights[1, :, 1, 5:] = 0.9
    decoder = Looking(weights)

    def end(layers) -> int:
        (times,) = attention_token_times(decoder, memory_of(6), [(5,)], layers)
        return round(times[0].end / FRAME_SECONDS)

    assert [end([0]), end([1]), end(None), end([0, 1])] == [2, 5, 5, 5]


def test_a_model_hands_out_its_weights_over_valid_frames(model, memory):
    tokens = torch.randint(4, 10, (5, 6), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        layers = model.text_attention(tokens, memory)
    assert len(layers) == len(model.decoder.layers)
    for layer in layers:
        assert layer.shape == (5, 2, 6, 43)
        assert torch.allclose(layer.sum(dim=3), torch.ones(()), atol=1e-5)
        spoken = memory.lengths > 0
        assert (layer * memory.padding_mask[:, None, None, :])[spoken].abs().max() == 0


def test_more_tokens_than_frames_and_no_frame_are_spread(model, memory):
    (nothing,) = attention_token_times(model, alone_in(memory, 1), [(5, 6)])
    (one,) = attention_token_times(model, alone_in(memory, 2), [(5, 6, 7)])
    assert [(each.start, each.end) for each in nothing] == [(0.0, 0.0)] * 2
    assert [each.end for each in one] == pytest.approx([FRAME_SECONDS * part / 3 for part in (1, 2, 3)])
    assert attention_token_times(model, Encoded(torch.zeros(0, 3, 32), torch.zeros(0, dtype=torch.long)), []) == []


def test_words_have_the_times_of_their_tokens():
    tokenizer = tiny.character_tokenizer()
    tokens = tuple(tokenizer.encode("ab d"))
    weights = torch.full((1, 2, 6, 60), 1e-4)
    for token, (first, end) in enumerate([(0, 10), (10, 15), (15, 20), (20, 30), (30, 40), (40, 60)]):
        weights[0, :, token, first:end] = 0.9
    hypotheses = [Hypothesis(tokens, 0.0, 0.0, {}, (0.5, 0.9, 0.8, 0.4, 1.0))]
    (words,) = attention_word_times(Looking(weights), memory_of(60), hypotheses, tokenizer)
    assert [(word.word, word.confidence) for word in words] == [("ab", 0.9 * 0.8), ("d", 1.0)]
    assert [word.start for word in words] == pytest.approx([0.2 - MARGIN, 0.6 - MARGIN])
    assert [word.end for word in words] == pytest.approx([0.4 + MARGIN, 0.8 + MARGIN])
