import itertools

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sprachbund.decoding.phones.graphs import LONGEST_BLANK, Piece, ctc_graph, without_blanks, word_graph
from sprachbund.decoding.viterbi import best_paths

GAP, NUM_SYMBOLS = 0, 3
PHONES = st.lists(st.integers(1, NUM_SYMBOLS - 1), min_size=1, max_size=2).map(tuple)
WORDS = st.lists(st.lists(PHONES, min_size=1, max_size=2), max_size=2)


def paths(graph, num_frames):
    """All paths of a graph as tuples of states."""
    found = [(state,) for state in graph.first]
    for _ in range(num_frames - 1):
        found = [(*path, state) for path in found for state, before in enumerate(graph.before) if path[-1] in before]
    return [path for path in found if path[-1] in graph.last]


def heard(graph, num_frames):
    return {tuple(graph.symbols[state] for state in path) for path in paths(graph, num_frames)}


def joined(symbols):
    return tuple(symbol for symbol, _ in itertools.groupby(symbols))


def collapsed(symbols):
    return tuple(symbol for symbol in joined(symbols) if symbol != GAP)


@settings(deadline=None)
@given(st.lists(st.integers(1, NUM_SYMBOLS - 1), max_size=3), st.integers(1, 5))
def test_the_paths_of_ctc_are_those_that_collapse_to_the_labels(tokens, num_frames):
    wanted = {
        symbols
        for symbols in itertools.product(range(NUM_SYMBOLS), repeat=num_frames)
        if collapsed(symbols) == tuple(tokens)
    }
    assert heard(ctc_graph(tokens, GAP), num_frames) == wanted


@settings(deadline=None)
@given(WORDS, st.integers(1, 5))
def test_words_are_said_whole_with_pauses_between_them_only(words, num_frames):
    wanted = set()
    for chosen in itertools.product(*words):
        for pauses in itertools.product((False, True), repeat=len(chosen) + 1):
            line = [GAP] * pauses[0]
            for phones, pause in zip(chosen, pauses[1:], strict=True):
                line += [*phones, *[GAP] * pause]
            # Every way to give each entry of the line a frame or more.
            for ends in itertools.combinations(range(1, num_frames), len(line) - 1) if line else ():
                bounds = [0, *ends, num_frames]
                wanted.add(
                    tuple(line[place] for place in range(len(line)) for _ in range(bounds[place], bounds[place + 1]))
                )
    assert heard(word_graph(words, GAP).graph, num_frames) == wanted


@settings(deadline=None)
@given(WORDS, st.integers(4, 9), st.booleans(), st.integers(0, 1000))
def test_pieces_are_the_words_in_their_order(words, num_frames, is_ctc, seed):
    graph = word_graph(words, GAP, is_ctc=is_ctc)
    log_probs = torch.randn(1, num_frames, NUM_SYMBOLS, generator=torch.Generator().manual_seed(seed))
    (path,) = best_paths(log_probs, torch.tensor([num_frames]), [graph.graph])
    if path is None:
        return
    pieces = graph.pieces(path)
    assert [piece.start for piece in pieces] == [0, *[piece.end for piece in pieces[:-1]]]
    assert pieces[-1].end == num_frames
    for number, pronunciations in enumerate(words):
        assert tuple(piece.symbol for piece in pieces if piece.word == number) in pronunciations
    said = [piece.word for piece in pieces if piece.word is not None]
    assert said == sorted(said)
    assert all(piece.symbol == GAP for piece in pieces if piece.word is None)


def test_the_better_pronunciation_is_taken():
    words = [[(1, 2), (2, 1)]]
    log_probs = torch.full((1, 2, NUM_SYMBOLS), -5.0)
    log_probs[0, 0, 2] = log_probs[0, 1, 1] = 0.0
    graph = word_graph(words, GAP)
    (path,) = best_paths(log_probs, torch.tensor([2]), [graph.graph])
    assert [piece.symbol for piece in graph.pieces(path)] == [2, 1]
    # Of two that are equally likely, the first.
    (path,) = best_paths(torch.zeros(1, 2, NUM_SYMBOLS), torch.tensor([2]), [graph.graph])
    assert [piece.symbol for piece in graph.pieces(path)] == [1, 2]


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(1, 15)), max_size=8))
def test_blanks_are_divided_and_no_frame_is_lost(kinds):
    pieces, end = list[Piece](), 0
    for is_phone, length in kinds:
        is_blank = not is_phone and not (pieces and pieces[-1].is_blank)
        pieces.append(Piece(GAP if is_blank else 1, None, end, end + length, is_blank))
        end += length
    kept = without_blanks(pieces)
    assert [frame for piece in kept for frame in range(piece.start, piece.end)] == list(range(end))
    phones = [piece for piece in pieces if not piece.is_blank]
    assert len([piece for piece in kept if not piece.is_blank]) == len(phones)
    for before, blank, after in zip(kept, kept[1:], kept[2:], strict=False):
        assert not blank.is_blank or blank.end - blank.start > LONGEST_BLANK or before.is_blank or after.is_blank


def test_blanks_inside_a_word_are_no_silence_however_long():
    word = [Piece(1, 0, 0, 1), Piece(GAP, None, 1, 41, is_blank=True), Piece(2, 0, 41, 42)]
    assert [(piece.start, piece.end) for piece in without_blanks(word)] == [(0, 21), (21, 42)]
