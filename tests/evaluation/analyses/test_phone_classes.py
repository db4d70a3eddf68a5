"""Each phone is of one class and of one manner."""

import pytest

from sprachbund.errors import VocabularyError
from sprachbund.evaluation.analyses.phone_classes import CLASSES, MANNERS, VOWELS, class_of, manner_of
from sprachbund.tokens.phones import PHONES, SILENCE


def test_every_phone_has_one_manner() -> None:
    every = [phone for phones in MANNERS.values() for phone in phones]
    assert sorted(every) == sorted((*PHONES, SILENCE))
    assert all(phone in MANNERS[manner_of(phone)] for phone in every)


def test_vowels_are_those_whose_names_begin_with_a_vowel() -> None:
    assert set(VOWELS) == {phone for phone in PHONES if phone[0] in "AEIOU"}
    assert {class_of(phone) for phone in PHONES if phone in VOWELS} == {"vowels"}
    assert {class_of(phone) for phone in PHONES if phone not in VOWELS} == {"consonants"}
    assert class_of(SILENCE) == "silence"
    assert {class_of(phone) for phone in (*PHONES, SILENCE)} == set(CLASSES)


@pytest.mark.parametrize("symbol", ["ə", "aa", "SPN", ""])
def test_other_symbols_are_refused(symbol: str) -> None:
    for told in (class_of, manner_of):
        with pytest.raises(VocabularyError, match="no phone of ARPAbet"):
            told(symbol)
