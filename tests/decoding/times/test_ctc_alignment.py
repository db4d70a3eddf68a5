import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import tiny
from sprachbund.decoding.hypothesis import Hypothesis
from sprachbund.decoding.search.ctc_prefix import CtcOutput
from sprachbund.decoding.times.ctc_alignment import ctc_token_times, ctc_word_times
from sprachbund.decoding.times.timestamps import FRAME_SECONDS, MARGIN
from sprachbund.errors import CheckpointError

VOCAB, BLANK = 5, 4
rows = st.lists(st.tuples(st.integers(0, 12), st.lists(st.integers(0, 3), max_size=8)), min_size=1, max_size=6)


def scores(num_frames: int, seed: int) -> torch.Tensor:
    return 3 * torch.randn(num_frames, VOCAB, generator=torch.Generator().manual_seed(seed))


def solve(frames, lines, padding=0):
    """The times of utterances side by side, behind which the padding holds what must not be read."""
    logits = torch.full((len(frames), max(map(len, frames)) + padding, VOCAB), torch.nan)
    for row, values in enumerate(frames):
        logits[row, : len(values)] = values
    return ctc_token_times(logits, torch.tensor([len(values) for values in frames]), lines, blank=BLANK)


@settings(deadline=None, max_examples=30)
@given(rows, st.integers(0, 4), st.randoms())
def test_every_token_has_a_time_in_order_inside_the_recording_alone_and_in_any_batch(drawn, padding, random):
    frames = [scores(length, seed) for seed, (length, _) in enumerate(drawn)]
    lines = [line for _, line in drawn]
    alone = [solve([values], [line])[0] for values, line in zip(frames, lines, strict=True)]
    for (length, line), times in zip(drawn, alone, strict=True):
        assert len(times) == len(line)
        assert all(one.start <= one.end for one in times)
        assert all(before.end <= after.start + 1e-9 for before, after in pairwise(times))
        assert all(one.start >= 0 and one.end <= length * FRAME_SECONDS + 1e-9 for one in times)
    order = list(range(len(drawn)))
    random.shuffle(order)
    together = solve([frames[place] for place in order], [lines[place] for place in order], padding)
    assert together == [alone[place] for place in order]


def test_tokens_stand_at_their_peaks():
    logits = torch.zeros(1, 10, VOCAB)
    for frame, symbol in enumerate([4, 4, 0, 0, 4, 1, 4, 1, 4, 4]):
        logits[0, frame, symbol] = 9
    (times,) = ctc_token_times(logits, torch.tensor([10]), [(0, 1, 1)], blank=BLANK)
    found = [(round(one.start / FRAME_SECONDS), round(one.end / FRAME_SECONDS)) for one in times]
    assert found == [(2, 4), (5, 6), (7, 8)]


def test_more_tokens_than_frames_and_no_frame_at_all_are_spread():
    (many,) = solve([scores(2, 0)], [(0, 1, 2, 3)])
    assert [one.start for one in many] == pytest.approx([0, 0.01, 0.02, 0.03])
    # Two equal tokens need a blank between them.
    (equal,) = solve([scores(2, 0)], [(1, 1)])
    assert [one.end for one in equal] == pytest.approx([0.02, 0.04])
    (nothing,) = ctc_token_times(torch.zeros(1, 0, VOCAB), torch.tensor([0]), [(0, 1)], blank=BLANK)
    assert [(one.start, one.end) for one in nothing] == [(0.0, 0.0), (0.0, 0.0)]
    assert solve([scores(1, 0)], [(2,)])[0][0].end == pytest.approx(FRAME_SECONDS)
    assert ctc_token_times(torch.zeros(0, 3, VOCAB), torch.zeros(0, dtype=torch.long), [], blank=BLANK) == []


def test_logits_and_log_probabilities_give_the_same():
    values = scores(9, 1)
    assert solve([values], [(0, 1, 2)]) == solve([values.log_softmax(dim=1)], [(0, 1, 2)])


def test_values_that_are_no_numbers_are_refused():
    values = scores(4, 0)
    values[3, 1] = math.nan
    with pytest.raises(CheckpointError, match="not numbers"):
        solve([values], [(0,)])


def test_words_have_the_times_and_confidences_of_their_tokens():
    tokenizer = tiny.character_tokenizer()
    tokens = tuple(tokenizer.encode("ab d"))
    logits = torch.zeros(2, 40, len(tokenizer.vocabulary))
    logits[:, :, tokenizer.vocabulary.blank_id] = 5
    for token, frame in zip(tokens, (3, 10, 12, 20, 25), strict=True):
        logits[:, frame, token] = 20
    hypotheses = [Hypothesis(tokens, 0.0, 0.0, {}, (0.5, 0.9, 0.8, 0.4, 1.0)), Hypothesis((), 0.0, 0.0)]
    ctc = CtcOutput(logits, torch.tensor([40, 40]), tokenizer.vocabulary.blank_id)
    first, second = ctc_word_times(ctc, hypotheses, tokenizer)
    assert second == ()
    assert [(word.word, word.confidence) for word in first] == [("ab", 0.9 * 0.8), ("d", 1.0)]
    assert [word.start for word in first] == pytest.approx([0.2 - MARGIN, 0.5 - MARGIN])
    assert [word.end for word in first] == pytest.approx([0.26 + MARGIN, 0.52 + MARGIN])
