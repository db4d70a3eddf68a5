import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sprachbund.errors import DataError
from sprachbund.evaluation.pronunciation import pronunciation_errors
from sprachbund.tokens.lexicon import Phones
from sprachbund.tokens.phones import PHONES

ENTRIES = [
    ("us", (("AH", "S"), ("Y", "UW", "EH", "S"))),
    ("cat", (("K", "AE", "T"),)),
    ("tomato", (("T", "AH", "M", "EY", "T", "OW"), ("T", "AH", "M", "AA", "T", "OW"))),
]


def errors(*guesses: str) -> tuple[int, int, int, int]:
    found = pronunciation_errors(lambda words: [tuple(guess.split()) for guess in guesses], ENTRIES[: len(guesses)])
    words, phones = found.word_error_rate, found.phone_error_rate
    assert words.rate == words.errors / words.length
    assert phones.low <= phones.rate <= phones.high
    return words.errors, words.length, phones.errors, phones.length


@pytest.mark.parametrize(
    ("guesses", "counts"),
    [
        (["AH S", "K AE T"], (0, 2, 0, 5)),
        # Any listed way counts, and its own length.
        (["Y UW EH S", "K AE T"], (0, 2, 0, 7)),
        (["Y UW S", "K AE T S"], (2, 2, 2, 7)),
        (["", "K AE T"], (1, 2, 2, 5)),
        (["AH S", "K AE T", "T AH M AA T OW"], (0, 3, 0, 11)),
        (["AH S", "K AE T", "T AH M UW T OW"], (1, 3, 1, 11)),
    ],
)
def test_the_nearest_listed_way_counts(guesses: list[str], counts: tuple[int, int, int, int]) -> None:
    assert errors(*guesses) == counts


ways = st.lists(st.lists(st.sampled_from(PHONES[:5]), min_size=1, max_size=4).map(tuple), min_size=1, max_size=3)


@settings(deadline=None, max_examples=40)
@given(st.lists(ways, min_size=1, max_size=5), st.data())
def test_a_guess_of_any_listed_way_is_right(found: list[list[Phones]], data: st.DataObject) -> None:
    entries = [(str(number), tuple(listed)) for number, listed in enumerate(found)]
    chosen = {word: data.draw(st.sampled_from(listed)) for word, listed in entries}
    judged = pronunciation_errors(lambda words: [chosen[word] for word in words], entries)
    assert judged.word_error_rate.errors == judged.phone_error_rate.errors == 0
    longer = pronunciation_errors(lambda words: [(*chosen[word], "ZH") for word in words], entries)
    assert longer.word_error_rate.rate == 1
    assert longer.phone_error_rate.errors == len(entries)


def test_no_words_are_told() -> None:
    with pytest.raises(DataError):
        pronunciation_errors(lambda words: [], [])
