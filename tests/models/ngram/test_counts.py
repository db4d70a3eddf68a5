from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.ngram.texts import ALL_WORDS, TEXT, counter_of
from sprachbund.models.ngram.counts import NgramCounter
from sprachbund.models.ngram.model import BEGIN, END


def by_hand(text: list[list[str]], length: int) -> Counter[tuple[int, ...]]:
    ids = {word: place for place, word in enumerate(ALL_WORDS)}
    found: Counter[tuple[int, ...]] = Counter()
    for sentence in text:
        padded = [BEGIN] * (length - 1) + [ids[word] for word in sentence] + [END]
        found.update(tuple(padded[end - length : end]) for end in range(length, len(padded) + 1))
    return found


@settings(deadline=None, max_examples=40)
@given(TEXT, st.integers(1, 5), st.integers(1, 40))
def test_counts_do_not_depend_on_the_blocks(text: list[list[str]], length: int, block: int) -> None:
    counts = counter_of(text, length, block).counts()
    wanted = by_hand(text, length)
    assert list(map(tuple, counts.rows.tolist())) == sorted(wanted)
    assert counts.numbers.tolist() == [wanted[gram] for gram in sorted(wanted)]


@settings(deadline=None, max_examples=40)
@given(TEXT, st.integers(2, 5))
def test_ends_are_what_a_shorter_length_counts(text: list[list[str]], length: int) -> None:
    counts = counter_of(text, length).counts()
    ends, before = counts.ends()
    shorter = counter_of(text, length - 1).counts()
    assert ends.rows.tolist() == shorter.rows.tolist()
    assert ends.numbers.tolist() == shorter.numbers.tolist()
    firsts = Counter(tuple(row[1:]) for row in counts.rows.tolist())
    assert before.tolist() == [firsts[tuple(row)] for row in ends.rows.tolist()]


@settings(deadline=None, max_examples=40)
@given(TEXT, st.integers(1, 4))
def test_words_that_become_one_are_counted_together(text: list[list[str]], length: int) -> None:
    new_ids = np.arange(len(ALL_WORDS))
    new_ids[ALL_WORDS.index("c")] = ALL_WORDS.index("a")
    renamed = counter_of(text, length).counts().renamed(new_ids)
    wanted = counter_of([["a" if word == "c" else word for word in line] for line in text], length).counts()
    assert renamed.rows.tolist() == wanted.rows.tolist()
    assert renamed.numbers.tolist() == wanted.numbers.tolist()


def test_nothing_is_counted_of_nothing() -> None:
    counts = NgramCounter(3).counts()
    assert counts.rows.shape == (0, 3)
    assert counts.numbers.shape == (0,)


def test_counting_goes_on_after_looking() -> None:
    counter = counter_of([["a"]], 2)
    first = counter.counts()
    counter.add([[ALL_WORDS.index("a")]])
    assert counter.counts().numbers.tolist() == (2 * first.numbers).tolist()


def test_rows_of_many_words_and_large_ids_keep_apart() -> None:
    counter = NgramCounter(7)
    counter.add([[3_000_000, 2_999_999, 3_000_000]] * 2)
    counts = counter.counts()
    assert counts.rows.tolist() == sorted(
        [
            [1] * 6 + [3_000_000],
            [1] * 5 + [3_000_000, 2_999_999],
            [1] * 4 + [3_000_000, 2_999_999, 3_000_000],
            [1] * 3 + [3_000_000, 2_999_999, 3_000_000, 2],
        ]
    )
    assert counts.numbers.tolist() == [2, 2, 2, 2]
