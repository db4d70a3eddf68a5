import pytest

from sprachbund.data.corpora.registry import CORPORA, get_corpus
from sprachbund.errors import CorpusError


def test_corpora_are_found_by_name() -> None:
    assert list(CORPORA) == ["steel-sky", "asterisk", "wordnet"]
    for name, corpus in CORPORA.items():
        assert get_corpus(name) is corpus
        assert corpus.name == name
        assert corpus.kind in ("speech", "text")
        assert (corpus.minutes is None) == (corpus.kind == "text")
        assert "en" in corpus.languages


def test_other_names_are_refused_with_the_known_ones() -> None:
    with pytest.raises(CorpusError, match="steel-sky, asterisk, wordnet"):
        get_corpus("librispeech")
