"""Graphs of transcripts: the phones of words with pauses between them, and the labels of CTC with blanks."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest

from sprachbund.decoding.viterbi import BestPath, StateGraph, runs

LONGEST_BLANK = 10  # frames of CTC between two phones that follow each other


@dataclass(frozen=True)
class Piece:
    """A phone or a pause on a path, in frames."""

    symbol: int
    word: int | None  # None for a pause or blank, and where words are not known
    start: int
    end: int  # the frame after its last one
    is_blank: bool = False  # a pause or blank


@dataclass(frozen=True)
class WordGraph:
    """The graph of a transcript, and which word each of its states belongs to."""

    graph: StateGraph
    words: tuple[int | None, ...]  # of each state; None for a pause or blank

    def pieces(self, path: BestPath) -> list[Piece]:
        """What a path through this graph passes."""
        return [
            Piece(self.graph.symbols[state], self.words[state], start, end, self.words[state] is None)
            for state, start, end in runs(path.states)
        ]


def without_blanks(pieces: Sequence[Piece]) -> list[Piece]:
    """The pieces of a CTC path with short blanks divided between their neighbours; long ones stay, as silence.

    CTC tells that there was a phone, not how long it was. A blank inside a word, or of at most `LONGEST_BLANK` frames
    between two phones, goes to both of them in halves.
    """
    kept = list[Piece]()
    for piece, after in zip_longest(pieces, pieces[1:]):
        is_between = bool(kept) and after is not None and not after.is_blank and not kept[-1].is_blank
        if not piece.is_blank:
            start = kept[-1].end if kept else piece.start
            kept.append(replace(piece, start=start))
        elif is_between and (piece.end - piece.start <= LONGEST_BLANK or kept[-1].word == after.word is not None):
            kept[-1] = replace(kept[-1], end=(piece.start + piece.end) // 2)
        else:
            kept.append(piece)
    return kept


def ctc_graph(tokens: Sequence[int], blank: int) -> StateGraph:
    """Blanks may stand everywhere, and have to stand between equal tokens (Graves et al., 2006)."""
    return word_graph([[tuple(tokens)]] if tokens else [], blank, is_ctc=True).graph


def word_graph(words: Sequence[Sequence[tuple[int, ...]]], gap: int, *, is_ctc: bool = False) -> WordGraph:
    """All ways to say some words: one of its pronunciations a word, pauses where there may be some.

    Args:
        words: the pronunciations of each word, of one phone or more each; of equally likely ones the first is taken.
        gap: the symbol of a pause, which may stand before, between and after words; with `is_ctc` the blank.
        is_ctc: gaps may stand inside of words as well, and have to stand between equal phones.
    """
    builder = _Builder(gap, is_ctc)
    ends = builder.add_gap([])
    for number, pronunciations in enumerate(words):
        # A word begins after the pause or right after the word before it.
        begun = [builder.add_phones(phones, number, ends) for phones in pronunciations]
        ends = builder.add_gap([end for one in begun for end in one])
    return builder.graph(ends)


@dataclass
class _Builder:
    gap: int
    is_ctc: bool
    symbols: list[int] = field(default_factory=list)
    before: list[list[int]] = field(default_factory=list)
    words: list[int | None] = field(default_factory=list)
    first: list[int] = field(default_factory=list)

    def add_gap(self, ends: Sequence[int]) -> list[int]:
        """A gap after these states; returns them and the gap: where whatever is next may come from."""
        gap = self._add(self.gap, None)
        self.before[gap] += ends
        if not ends:
            self.first.append(gap)
        return [*ends, gap]

    def add_phones(self, phones: Sequence[int], word: int, ends: Sequence[int]) -> list[int]:
        """A pronunciation after these states; returns its own ends."""
        for place, phone in enumerate(phones):
            state = self._add(phone, word)
            if self._is_begin(ends):
                self.first.append(state)
            self.before[state] += [end for end in ends if not self._needs_gap(end, phone)]
            ends = [state]
            if self.is_ctc and place + 1 < len(phones):
                ends = self.add_gap(ends)
        return list(ends)

    def graph(self, ends: Sequence[int]) -> WordGraph:
        """What was added, which ends with these states."""
        before = tuple(map(tuple, self.before))
        graph = StateGraph(tuple(self.symbols), before, tuple(self.first), tuple(ends))
        return WordGraph(graph, tuple(self.words))

    def _add(self, symbol: int, word: int | None) -> int:
        state = len(self.symbols)
        self.symbols.append(symbol)
        self.before.append([state])
        self.words.append(word)
        return state

    def _is_begin(self, ends: Sequence[int]) -> bool:
        """Only the gap at the very start lies before."""
        return list(ends) == [0]

    def _needs_gap(self, state: int, phone: int) -> bool:
        return self.is_ctc and self.words[state] is not None and self.symbols[state] == phone
