from dataclasses import replace

import pytest

from sprachbund.data.corpora.layout import Prepared
from sprachbund.data.corpora.registry import CORPORA, get_corpus, prepare_corpus
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


def test_texts_lose_the_lines_of_a_corpus_that_comes_later(tmp_path, monkeypatch) -> None:
    called = []

    def prepare_as(name):
        def prepare(root, source, progress):
            called.append((name, source))
            return Prepared(root / name, True, {})

        return prepare

    for name, corpus in list(CORPORA.items()):
        monkeypatch.setitem(CORPORA, name, replace(corpus, prepare=prepare_as(name)))
    monkeypatch.setattr(
        "sprachbund.data.corpora.registry.find_prepared",
        lambda folder: Prepared(folder, True, {}) if folder.name == "wordnet" else None,
    )
    assert prepare_corpus("asterisk", tmp_path, tmp_path / "x").folder == tmp_path / "asterisk"
    assert called == [("asterisk", tmp_path / "x"), ("wordnet", None)]
    called.clear()
    prepare_corpus("wordnet", tmp_path)
    assert called == [("wordnet", None)]
