import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprachbund.tokens.phones import (
    PHONES,
    PLACES,
    SILENCE,
    SPOKEN_NOISE,
    phone_symbols,
    phone_vocabulary,
    plain_phone,
    with_places,
)

words = st.lists(st.sampled_from(PHONES), min_size=1, max_size=8)


@pytest.mark.parametrize(
    ("symbol", "plain"),
    [("AH0", "AH"), ("ah1_B", "AH"), ("T_E", "T"), ("sil", SILENCE), ("sp", SILENCE), ("", SILENCE), ("ZH", "ZH")],
)
def test_phones_of_other_aligners_are_called_as_ours(symbol: str, plain: str) -> None:
    assert plain_phone(symbol) == plain


@given(words)
def test_places_are_those_in_the_word_and_can_be_taken_off(phones: list[str]) -> None:
    placed = with_places(phones)
    assert [plain_phone(phone) for phone in placed] == phones
    marks = "".join(phone[-1] for phone in placed)
    assert marks == ("S" if len(phones) == 1 else "B" + "I" * (len(phones) - 2) + "E")
    assert set(placed) <= set(phone_symbols(places=True))


def test_a_word_without_phones_has_no_places() -> None:
    assert with_places(()) == ()


def test_there_are_as_many_symbols_as_promised() -> None:
    assert len(set(PHONES)) == 39
    assert phone_symbols(places=False) == (SILENCE, SPOKEN_NOISE, *PHONES)
    placed = phone_symbols(places=True)
    assert len(set(placed)) == len(placed) == 2 + 39 * len(PLACES)
    assert [symbol for symbol in placed if not symbol.endswith(PLACES)] == [SILENCE, SPOKEN_NOISE]


@pytest.mark.parametrize("places", [False, True])
def test_a_vocabulary_has_the_symbols_behind_the_special_ones(places: bool) -> None:
    vocabulary = phone_vocabulary(places=places)
    assert vocabulary.symbols[4:] == phone_symbols(places=places)
    assert vocabulary == phone_vocabulary(places=places)
