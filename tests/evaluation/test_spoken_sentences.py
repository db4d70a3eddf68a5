import re

import pytest

from sprachbund.evaluation.spoken_sentences import SENTENCES
from sprachbund.tokens.lexicon import load_lexicon
from sprachbund.tokens.normalize import normalize_text
from sprachbund.tokens.phones import PHONES


def test_sentences_are_plain_and_different() -> None:
    assert len(set(SENTENCES)) == len(SENTENCES) == 50
    assert all(re.fullmatch(r"[A-Z][a-z ,]*[a-zA-Z ,]*[.?]", sentence) for sentence in SENTENCES)


def test_the_dictionary_has_all_words_and_they_have_all_phones() -> None:
    pytest.importorskip("pocketsphinx", reason="needs the extra alignment")
    lexicon = load_lexicon("pocketsphinx")
    words = {word for sentence in SENTENCES for word in normalize_text(sentence).split()}
    assert {word for word in words if not lexicon.of(word)} == set()
    assert {phone for word in words for phone in lexicon.of(word)[0]} == set(PHONES)
