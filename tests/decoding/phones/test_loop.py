import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sprachbund.decoding.phones.loop import LoopCosts, loop_paths
from sprachbund.decoding.viterbi import runs
from sprachbund.errors import CheckpointError

NUM_SYMBOLS = 3


def costs_of(seed, min_frames, num_symbols=NUM_SYMBOLS):
    draw = np.random.default_rng(seed).standard_normal
    return LoopCosts(draw(num_symbols), draw((num_symbols, num_symbols)), draw(num_symbols), min_frames)


def scores(num_frames, seed):
    return torch.randn(num_frames, NUM_SYMBOLS, generator=torch.Generator().manual_seed(seed))


def score_of(symbols, log_probs, costs):
    pieces = [symbol for symbol, _, _ in runs(np.array(symbols))]
    total = costs.first[pieces[0]] + costs.last[pieces[-1]]
    total += sum(costs.following[one, two] for one, two in itertools.pairwise(pieces))
    return total + sum(float(log_probs[frame, symbol]) for frame, symbol in enumerate(symbols))


@settings(deadline=None)
@given(st.integers(1, 6), st.integers(1, 3), st.integers(0, 1000))
def test_no_path_through_the_loop_is_better(num_frames, min_frames, seed):
    log_probs, costs = scores(num_frames, seed), costs_of(seed, min_frames)
    (found,) = loop_paths(log_probs[None], torch.tensor([num_frames]), costs)
    allowed = [
        symbols
        for symbols in itertools.product(range(NUM_SYMBOLS), repeat=num_frames)
        if all(end - start >= min_frames for _, start, end in runs(np.array(symbols)))
    ]
    if not allowed:
        assert len(found) == 0
        return
    assert tuple(found.tolist()) in allowed
    best = max(score_of(symbols, log_probs, costs) for symbols in allowed)
    assert score_of(found.tolist(), log_probs, costs) == pytest.approx(best, abs=1e-4)


@settings(deadline=None)
@given(st.lists(st.integers(0, 12), min_size=1, max_size=5), st.integers(1, 3), st.integers(0, 3), st.randoms())
def test_padding_and_neighbours_change_nothing(lengths, min_frames, padding, random):
    costs = costs_of(1, min_frames)
    rows = [scores(length, number) for number, length in enumerate(lengths)]
    alone = [loop_paths(row[None], torch.tensor([len(row)]), costs)[0].tolist() for row in rows]
    order = list(range(len(rows)))
    random.shuffle(order)
    batch = torch.full((len(rows), max(lengths) + padding, NUM_SYMBOLS), torch.nan)
    for place, number in enumerate(order):
        batch[place, : lengths[number]] = rows[number]
    together = loop_paths(batch, torch.tensor([lengths[number] for number in order]), costs)
    assert [path.tolist() for path in together] == [alone[number] for number in order]


def test_what_may_not_follow_does_not():
    following = np.zeros((2, 2))
    following[0, 1] = -math.inf
    log_probs = torch.tensor([[[2.0, 0.0], [0.0, 1.0]]])
    free = LoopCosts(np.zeros(2), np.zeros((2, 2)), np.zeros(2))
    bound = LoopCosts(np.zeros(2), following, np.zeros(2))
    assert loop_paths(log_probs, torch.tensor([2]), free)[0].tolist() == [0, 1]
    assert loop_paths(log_probs, torch.tensor([2]), bound)[0].tolist() == [0, 0]


def test_values_that_are_no_scores_are_refused():
    log_probs = torch.full((1, 2, NUM_SYMBOLS), math.nan)
    with pytest.raises(CheckpointError, match="not numbers"):
        loop_paths(log_probs, torch.tensor([1]), costs_of(0, 1))
