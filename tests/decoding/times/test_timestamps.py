import functools
from collections.abc import Iterable
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sprachbund.decoding.hypothesis import Hypothesis
from sprachbund.decoding.times.timestamps import (
    FRAME_SECONDS,
    MARGIN,
    TokenTime,
    WordTime,
    even_times,
    times_of_hypotheses,
    widened,
    word_spans,
    word_times,
)
from sprachbund.tokens.symbols import SymbolTokenizer
from sprachbund.tokens.text import CharacterTokenizer, SentencePieceTokenizer, TextTokenizer
from sprachbund.tokens.vocabulary import Vocabulary

LINES = ["hello you there", "a bigger world than theirs", "words and swords apart", "a b"] * 4
KINDS = ("character", "char", "bpe", "symbols")


@functools.cache
def tokenizer(kind: str) -> TextTokenizer:
    if kind == "character":
        return CharacterTokenizer.train(LINES)
    if kind == "symbols":
        return SymbolTokenizer(Vocabulary(["HH", "AH", "L", "OW"]).with_symbols("<mask>", "<ctc_blank>"))
    return SentencePieceTokenizer.train(LINES, vocab_size=None if kind == "char" else 40, model_type=kind)


class JoinedPieces(SymbolTokenizer):
    """Its pieces may hold parts of two words, as those of foreign SentencePiece models."""

    def decode(self, ids: Iterable[int]) -> str:
        return super().decode(ids).replace(" ", "").replace("_", " ").strip()

    def word_start_ids(self) -> frozenset[int]:
        return frozenset(i for i, symbol in enumerate(self.vocabulary.symbols) if symbol.startswith("_"))


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_words_are_those_of_the_text_whatever_the_tokens(kind: str, data: st.DataObject):
    chosen = tokenizer(kind)
    # Word marks alone, unknown and special ones among them.
    tokens = data.draw(st.lists(st.integers(0, len(chosen.vocabulary) - 1) | st.integers(3, 5), max_size=14))
    spans = word_spans(chosen, tokens)
    assert [span.word for span in spans] == chosen.decode(tokens).split()
    assert all(0 <= span.first < span.end <= len(tokens) for span in spans)
    assert all(before.end <= after.first for before, after in pairwise(spans))
    # What is at the edges of a word is heard; nothing that is heard is left out.
    owned = {place for span in spans for place in range(span.first, span.end)}
    heard = {place for place, token in enumerate(tokens) if chosen.decode([token])}
    assert {edge for span in spans for edge in (span.first, span.end - 1)} <= heard <= owned


def test_a_word_mark_that_stands_alone_lies_in_the_pause():
    chosen = tokenizer("character")
    tokens = chosen.encode("a bigger")
    assert [(span.first, span.end) for span in word_spans(chosen, tokens)] == [(1, 2), (3, 9)]


def test_a_piece_of_two_words_goes_to_the_later_one_and_words_do_not_overlap():
    chosen = JoinedPieces(Vocabulary(["_x", "a_b", "c"]))
    tokens = [4, 5, 6]
    spans = word_spans(chosen, tokens)
    assert [(span.word, span.first, span.end) for span in spans] == [("xa", 0, 1), ("bc", 1, 3)]
    alone = word_spans(chosen, [5])
    assert [span.word for span in alone] == ["a", "b"]
    words = word_times(chosen, [5], [TokenTime(0.0, 1.0)])
    assert [(word.start, word.end) for word in words] == [(0.0, 1.0), (1.0, 1.0)]


def test_a_word_lasts_from_its_first_token_to_its_last():
    chosen = tokenizer("character")
    tokens = chosen.encode("you a")
    times = [TokenTime(place, place + 0.5) for place in range(len(tokens))]
    words = word_times(chosen, tokens, times, (0.1, 0.9, 0.5, 0.7, 0.2, 1.0))
    assert words == (WordTime("you", 1, 3.5, 0.9 * 0.5 * 0.7), WordTime("a", 5, 5.5, 1.0))
    assert [word.confidence for word in word_times(chosen, tokens, times)] == [None, None]


@given(st.integers(0, 30), st.integers(0, 30))
def test_tokens_without_a_place_are_spread_over_all_of_the_recording(num_tokens: int, num_frames: int):
    times = even_times(num_tokens, num_frames)
    assert len(times) == num_tokens
    assert all(before.end == after.start for before, after in pairwise(times))
    if times:
        assert times[0].start == 0
        assert times[-1].end == pytest.approx(num_frames * FRAME_SECONDS)


@given(st.lists(st.integers(0, 60), max_size=12), st.integers(0, 10), st.floats(0, 0.2))
def test_wider_words_stay_in_order_and_inside(edges: list[int], after: int, margin: float):
    edges = sorted(edges[: len(edges) // 2 * 2])
    num_frames = max(edges, default=0) + after
    words = [
        WordTime(str(place), edges[2 * place] * FRAME_SECONDS, edges[2 * place + 1] * FRAME_SECONDS)
        for place in range(len(edges) // 2)
    ]
    wider = widened(words, margin, num_frames)
    assert [word.word for word in wider] == [word.word for word in words]
    assert all(before.end <= after.start + 1e-9 for before, after in pairwise(wider))
    for word, one in zip(words, wider, strict=True):
        assert -1e-9 <= one.start <= word.start
        assert word.end <= one.end <= num_frames * FRAME_SECONDS + 1e-9
        assert word.start - one.start <= margin + 1e-9


def test_a_margin_is_whole_where_there_is_room_and_shared_where_there_is_little():
    words = [WordTime("a", 0.5, 0.6), WordTime("b", 0.62, 0.7)]
    first, second = widened(words, 0.04, 100)
    assert (first.start, first.end) == pytest.approx((0.46, 0.61))
    assert (second.start, second.end) == pytest.approx((0.61, 0.74))


def test_each_hypothesis_has_its_own_times_and_margin():
    chosen = tokenizer("character")
    tokens = tuple(chosen.encode("a"))
    spoken = [TokenTime(0.2, 0.22), TokenTime(0.24, 0.26)]
    hypotheses = [Hypothesis(tokens, 0.0, 0.0), Hypothesis((), 0.0, 0.0)]
    first, second = times_of_hypotheses(chosen, hypotheses, [spoken, []], torch.tensor([50, 3]))
    assert second == ()
    assert (first[0].start, first[0].end) == pytest.approx((0.24 - MARGIN, 0.26 + MARGIN))
