from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from sprachbund.decoding.times.merging import join_words
from sprachbund.decoding.times.timestamps import WordTime

# Centiseconds of a pause and a word, and which word it is: few, so that the same word often comes again.
speech = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 60), st.sampled_from("abc")), max_size=25)


def said(parts: list[tuple[int, int, str]]) -> list[WordTime]:
    words, place = list[WordTime](), 0
    for pause, length, word in parts:
        words.append(WordTime(word, (place + pause) / 100, (place + pause + length) / 100))
        place += pause + length
    return words


def heard(words: list[WordTime], start: float, end: float, garbled: str) -> list[WordTime]:
    """What is heard of words between two times: those cut off as something else."""
    return [
        word
        if start <= word.start and word.end <= end
        else WordTime(garbled, max(word.start, start), min(word.end, end))
        for word in words
        if word.start < end and word.end > start
    ]


@settings(deadline=None, max_examples=100)
@given(speech, st.integers(0, 300), st.integers(60, 400), st.sampled_from(["?", "!", "a"]))
def test_no_word_is_lost_garbled_or_said_twice(parts, start, overlap, garbled):
    words = said(parts)
    left_end, right_start = (start + overlap) / 100, start / 100
    left = heard(words, 0.0, left_end, garbled)
    right = heard(words, right_start, 1000.0, garbled)
    kept, added = join_words(left, right, right_start, left_end)
    assert [word.word for word in (*kept, *added)] == [word.word for word in words]
    assert all(before.end <= after.start for before, after in pairwise((*kept, *added)))


def test_words_that_both_heard_are_told_once_though_their_times_differ():
    left = [WordTime("a", 0.0, 0.4), WordTime("b", 0.5, 0.9), WordTime("c", 1.0, 1.5)]
    right = [WordTime("b", 0.56, 1.02), WordTime("c", 1.01, 1.5), WordTime("d", 1.48, 2.0)]
    kept, added = join_words(left, right, 0.5, 1.1)
    assert [word.word for word in (*kept, *added)] == ["a", "b", "c", "d"]
    # The seam is at b, nearest to 0.8; nothing after it begins before it ends.
    assert added[0].start == 1.01
    kept, added = join_words(left, right, 0.9, 1.6)
    assert [word.word for word in added] == ["d"]
    assert added[0].start == 1.5


def test_where_they_agree_on_nothing_the_seam_is_between_words():
    left = [WordTime("a", 0.0, 1.1), WordTime("x", 1.7, 2.0)]
    right = [WordTime("y", 1.0, 1.2), WordTime("b", 1.8, 2.4)]
    kept, added = join_words(left, right, 1.0, 2.0)
    assert [word.word for word in (*kept, *added)] == ["a", "b"]
    crossed = [WordTime("a", 0.0, 2.0)], [WordTime("b", 1.0, 3.0)]
    kept, added = join_words(*crossed, 1.0, 2.0)
    assert [word.word for word in (*kept, *added)] == ["a", "b"]
    assert added[0].start == 2.0


def test_a_word_said_twice_in_a_row_is_told_twice():
    left = [WordTime("no", 0.8, 1.04), WordTime("no", 1.04, 1.3)]
    right = [WordTime("no", 0.82, 1.0), WordTime("no", 1.0, 1.3)]
    for end in (1.3, 1.5, 2.0):
        kept, added = join_words(left, right, 0.7, end)
        assert [word.word for word in (*kept, *added)] == ["no", "no"]


def test_nothing_joins_with_nothing():
    only = [WordTime("a", 0.0, 0.5)]
    assert join_words([], [], 0.0, 1.0) == ((), ())
    assert join_words(only, [], 0.0, 1.0) == (tuple(only), ())


def test_what_one_of_them_heard_beside_the_seam_is_kept():
    for word in (WordTime("a", 1.48, 1.5), WordTime("a", 1.5, 1.52)):
        for left, right in (([word], []), ([], [word])):
            kept, added = join_words(left, right, 1.0, 2.0)
            assert len((*kept, *added)) == (1 if (word.end <= 1.5) == bool(left) else 0)
