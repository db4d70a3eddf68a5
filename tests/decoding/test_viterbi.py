import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sprachbund.decoding.viterbi import StateGraph, best_paths, runs
from sprachbund.errors import CheckpointError

NUM_SYMBOLS = 4


@st.composite
def parts(draw):
    """What makes up any graph of up to five states, rings and dead ends included."""
    num_states = draw(st.integers(1, 5))
    some = st.lists(st.integers(0, num_states - 1), unique=True, max_size=num_states).map(tuple)
    symbols = draw(st.lists(st.integers(0, NUM_SYMBOLS - 1), min_size=num_states, max_size=num_states))
    before = draw(st.lists(some, min_size=num_states, max_size=num_states))
    return tuple(symbols), tuple(before), draw(some), draw(some)


def scores(num_frames, seed):
    return torch.randn(num_frames, NUM_SYMBOLS, generator=torch.Generator().manual_seed(seed))


def all_paths(graph, num_frames):
    """Every path that a graph allows, by trying all sequences of states."""
    for states in itertools.product(range(len(graph.symbols)), repeat=num_frames):
        is_linked = all(one in graph.before[two] for one, two in itertools.pairwise(states))
        if is_linked and states[0] in graph.first and states[-1] in graph.last:
            yield states


def score_of(states, graph, log_probs):
    return sum(float(log_probs[frame, graph.symbols[state]]) for frame, state in enumerate(states))


def solve(rows, chosen, padding=0):
    """The best paths of utterances side by side, behind which the padding holds what must not be read."""
    width = max(map(len, rows)) + padding
    log_probs = torch.full((len(rows), width, NUM_SYMBOLS), torch.nan)
    for number, row in enumerate(rows):
        log_probs[number, : len(row)] = row
    return best_paths(log_probs, torch.tensor([len(row) for row in rows]), chosen)


def told(path):
    return None if path is None else (path.states.tolist(), path.log_probability)


@settings(deadline=None)
@given(parts(), st.integers(1, 5), st.integers(0, 1000))
def test_no_path_through_a_graph_is_better(states, num_frames, seed):
    graph = StateGraph(*states)
    log_probs = scores(num_frames, seed)
    (found,) = solve([log_probs], [graph])
    allowed = {path: score_of(path, graph, log_probs) for path in all_paths(graph, num_frames)}
    if not allowed:
        assert found is None
        return
    best = max(allowed.values())
    assert found.log_probability == pytest.approx(best, abs=1e-4)
    assert allowed[tuple(found.states.tolist())] == pytest.approx(best, abs=1e-4)


@settings(deadline=None)
@given(st.lists(st.tuples(parts(), st.integers(1, 9)), min_size=1, max_size=5), st.integers(0, 4), st.randoms())
def test_padding_and_neighbours_change_nothing(rows, padding, random):
    graphs = [StateGraph(*states) for states, _ in rows]
    frames = [scores(num_frames, number) for number, (_, num_frames) in enumerate(rows)]
    alone = [told(solve([log_probs], [graph])[0]) for log_probs, graph in zip(frames, graphs, strict=True)]
    order = list(range(len(rows)))
    random.shuffle(order)
    together = solve([frames[place] for place in order], [graphs[place] for place in order], padding)
    assert [told(path) for path in together] == [alone[place] for place in order]


def test_too_few_frames_are_told_row_by_row():
    line = StateGraph(symbols=(0, 1, 2), before=((0,), (1, 0), (2, 1)), first=(0,), last=(2,))
    short, enough = solve([scores(2, 0), scores(3, 1)], [line, line])
    assert short is None
    assert enough.states.tolist() == [0, 1, 2]
    assert best_paths(torch.zeros(1, 4, NUM_SYMBOLS), torch.tensor([0]), [line]) == [None]
    assert best_paths(torch.zeros(1, 0, NUM_SYMBOLS), torch.tensor([0]), [line]) == [None]
    assert best_paths(torch.zeros(0, 3, NUM_SYMBOLS), torch.zeros(0, dtype=torch.long), []) == []


def test_what_cannot_be_is_not_passed():
    line = StateGraph(symbols=(0, 1), before=((0,), (1, 0)), first=(0,), last=(1,))
    log_probs = torch.zeros(1, 3, NUM_SYMBOLS)
    log_probs[0, 1, 0] = -math.inf
    (found,) = best_paths(log_probs, torch.tensor([3]), [line])
    assert found.states.tolist() == [0, 1, 1]
    log_probs[0, 2, 1] = -math.inf
    assert best_paths(log_probs, torch.tensor([3]), [line]) == [None]


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_values_that_are_no_scores_are_refused(wrong):
    line = StateGraph(symbols=(0,), before=((0,),), first=(0,), last=(0,))
    log_probs = torch.zeros(1, 3, NUM_SYMBOLS)
    log_probs[0, 2, 3] = wrong
    assert best_paths(log_probs, torch.tensor([2]), [line])[0] is not None
    with pytest.raises(CheckpointError, match="not numbers"):
        best_paths(log_probs, torch.tensor([3]), [line])


def test_more_than_a_byte_of_choices_are_told_apart():
    # Every state of the first frame leads to the last state; the best of them is behind the 256th.
    wide = 300
    graph = StateGraph(
        symbols=(*range(wide), 0), before=((),) * wide + (tuple(range(wide)),), first=tuple(range(wide)), last=(wide,)
    )
    log_probs = torch.zeros(1, 2, wide)
    log_probs[0, 0, 290] = 1.0
    (found,) = best_paths(log_probs, torch.tensor([2]), [graph])
    assert found.states.tolist() == [290, wide]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 3), max_size=12))
def test_runs_are_the_path_again(states):
    path = np.array(states, dtype=np.int64)
    pieces = list(runs(path))
    assert [state for state, start, end in pieces for _ in range(start, end)] == states
    assert all(one[0] != two[0] and one[2] == two[1] for one, two in itertools.pairwise(pieces))
