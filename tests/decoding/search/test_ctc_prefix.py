import itertools
import math
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sprachbund.decoding.search.ctc_prefix import CtcOutput, CtcPrefixScorer

EOS, BLANK = 1, 0


def walk(scorer, prefix):
    """What follows the prefix, and the log-probability of the prefix itself."""
    scores, total = scorer.score(torch.tensor([EOS])), 0.0
    for token in prefix:
        total += scores[0, token].item()
        scorer.reorder(torch.tensor([0]))
        scores = scorer.score(torch.tensor([token]))
    return scores[0], total


def scorer_of(logits, length=None):
    length = len(logits) if length is None else length
    return CtcPrefixScorer(CtcOutput(logits[None], torch.tensor([length]), BLANK), eos=EOS)


def transcripts_of_all_paths(log_probs):
    """The probability of every transcript, path by path."""
    total = Counter()
    frames, vocab = log_probs.shape
    for path in itertools.product(range(vocab), repeat=frames):
        tokens = tuple(token for token, _ in itertools.groupby(path) if token != BLANK)
        total[tokens] += math.exp(sum(log_probs[frame, token] for frame, token in enumerate(path)))
    return total


def log(probability):
    return math.log(probability) if probability > 0 else -math.inf


@settings(deadline=None, max_examples=6)
@given(seed=st.integers(0, 9999), frames=st.integers(0, 5), sharpness=st.sampled_from([0.5, 3.0, 12.0]))
def test_prefix_probabilities_are_those_of_all_paths(seed, frames, sharpness):
    generator = torch.Generator().manual_seed(seed)
    logits = sharpness * torch.randn(frames, 4, generator=generator)
    paths = transcripts_of_all_paths(logits.double().log_softmax(dim=1).numpy())
    for length in range(4):
        for prefix in itertools.product((2, 3), repeat=length):
            scores, total = walk(scorer_of(logits), prefix)
            begins = sum(value for tokens, value in paths.items() if tokens[:length] == prefix)
            assert total == pytest.approx(log(begins), abs=1e-9)
            assert total + scores[EOS].item() == pytest.approx(log(paths[prefix]), abs=1e-9)


def slow_prefix(log_probs, prefix):
    """log(r_n), log(r_b) after each frame and log psi of a prefix: algorithm 2 with loops and logarithms."""
    frames = len(log_probs)
    ends = [(-math.inf, float(log_probs[:frame, BLANK].sum())) for frame in range(frames + 1)]
    psi, last = 0.0, None
    for token in prefix:
        grown, psi = [(-math.inf, -math.inf)], -math.inf
        for frame in range(1, frames + 1):
            said, silent = ends[frame - 1]
            phi = silent if token == last else np.logaddexp(said, silent)
            psi = np.logaddexp(psi, phi + log_probs[frame - 1, token])
            before = grown[-1]
            grown.append(
                (
                    np.logaddexp(before[0], phi) + log_probs[frame - 1, token],
                    np.logaddexp(before[0], before[1]) + log_probs[frame - 1, BLANK],
                )
            )
        ends, last = grown, token
    return psi, np.logaddexp(*ends[-1])


@settings(deadline=None, max_examples=10)
@given(
    seed=st.integers(0, 9999),
    sharpness=st.sampled_from([1.0, 20.0, 300.0, 3000.0]),
    prefix=st.lists(st.integers(2, 6), max_size=6),
)
def test_also_where_doubles_are_too_small(seed, sharpness, prefix):
    logits = sharpness * torch.randn(40, 7, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    log_probs = logits.log_softmax(dim=1).numpy()
    scores, total = walk(scorer_of(logits), prefix)
    psi, end = slow_prefix(log_probs, prefix)
    assert total == pytest.approx(psi, rel=1e-9, abs=1e-9)
    assert total + scores[EOS].item() == pytest.approx(end, rel=1e-9, abs=1e-9)
    for token in range(2, 7):
        longer, _ = slow_prefix(log_probs, [*prefix, token])
        assert total + scores[token].item() == pytest.approx(longer, rel=1e-9, abs=1e-9)


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 9999), frames=st.integers(1, 30), prefix=st.lists(st.integers(2, 5), max_size=8))
def test_what_follows_is_a_distribution(seed, frames, prefix):
    logits = 2.0 * torch.randn(frames, 6, generator=torch.Generator().manual_seed(seed))
    # The column of the end is no token of CTC.
    logits[:, EOS] = -torch.inf
    scores, total = walk(scorer_of(logits), prefix)
    assert (scores <= 0).all()
    assert scores[BLANK] == -torch.inf
    if total == -math.inf:
        assert (scores == -torch.inf).all()
    else:
        assert scores.logsumexp(dim=0).item() == pytest.approx(0.0, abs=1e-9)


def test_tokens_that_no_frame_allows():
    logits = torch.zeros(4, 5)
    logits[:, 2] = -torch.inf
    logits[:3, 3] = -torch.inf
    scores, _ = walk(scorer_of(logits), [])
    assert scores[2] == -torch.inf
    # Said in the last frame alone, after blanks.
    assert scores[3].item() == pytest.approx(math.log(1 / 3 * 1 / 3 * 1 / 3 * 1 / 4))
    scores, total = walk(scorer_of(logits), [3, 4])
    assert total == -math.inf
    assert (scores == -torch.inf).all()


def test_a_frame_that_allows_no_blank_ends_what_was_said_before():
    logits = torch.zeros(5, 4)
    logits[2, [BLANK, 2]] = -torch.inf
    scores, total = walk(scorer_of(logits), [2])
    assert total > -math.inf
    assert scores[EOS] == -torch.inf
    assert scores[3] > -torch.inf
    longer, _ = walk(scorer_of(logits), [2, 3])
    assert longer[EOS] > -torch.inf


def test_a_prefix_longer_than_the_frames_is_impossible():
    logits = torch.randn(3, 5)
    for prefix in ([2, 3, 4, 2], [2, 2, 3], [2] * 9):
        scores, total = walk(scorer_of(logits), prefix)
        assert total == -math.inf
        assert (scores == -torch.inf).all()
    scores, total = walk(scorer_of(logits), [2, 3, 4])
    assert total > -math.inf
    assert scores[EOS].item() == pytest.approx(0.0)
    silent, total = walk(scorer_of(logits[:0]), [])
    assert silent[EOS] == 0.0
    assert (silent[2:] == -torch.inf).all()


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 9999), data=st.data())
def test_rows_are_scored_as_if_alone(seed, data):
    generator = torch.Generator().manual_seed(seed)
    lengths = data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=4))
    logits = [2.0 * torch.randn(length, 6, generator=generator) for length in lengths]
    padded = torch.full((len(lengths), max(lengths) + 2, 6), 9.0)
    for row, utterance in enumerate(logits):
        padded[row, : len(utterance)] = utterance
    scorer = CtcPrefixScorer(CtcOutput(padded, torch.tensor(lengths), BLANK), eos=EOS)
    rows = [(utterance, []) for utterance in range(len(lengths))]
    if data.draw(st.booleans()):
        # Utterances may leave before the first score.
        rows = rows[1:] or rows
        scorer.reorder(torch.tensor([utterance for utterance, _ in rows]))
    scores = scorer.score(torch.full((len(rows),), EOS))
    for _ in range(data.draw(st.integers(1, 4))):
        chosen = sorted(data.draw(st.lists(st.integers(0, len(rows) - 1), min_size=1, max_size=6)))
        scorer.reorder(torch.tensor(chosen))
        tokens = data.draw(st.lists(st.integers(2, 5), min_size=len(chosen), max_size=len(chosen)))
        rows = [(rows[row][0], [*rows[row][1], token]) for row, token in zip(chosen, tokens, strict=True)]
        scores = scorer.score(torch.tensor(tokens))
    for row, (utterance, prefix) in enumerate(rows):
        alone, _ = walk(scorer_of(logits[utterance]), prefix)
        assert torch.allclose(scores[row], alone, rtol=1e-10, atol=1e-10)
