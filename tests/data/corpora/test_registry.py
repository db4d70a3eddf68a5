import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from sprachbund.data.corpora.layout import Prepared, Shard, ShardDone
from sprachbund.data.corpora.registry import CORPORA, get_corpus, prepare_corpus, prepare_shard
from sprachbund.errors import CorpusError

STAMPS = ("fr", "ru", "ro", "ca", "bg", "es", "be", "el", "da", "nl", "en", "noise")
PACKAGED = [
    *("steel-sky", "amazon-queen", "asterisk", "asterisk-es", "asterisk-fr", "asterisk-it", "asterisk-ru"),
    *("fillets-cs", "fillets-nl", *(f"tuxpaint-{code}" for code in STAMPS), "pocketsphinx-test"),
    *("wordnet", "gcide", "anarchism", "bible", "wesnoth"),
]


@pytest.mark.parametrize("name", PACKAGED)
def test_corpora_are_found_by_name(name: str) -> None:
    corpus = get_corpus(name)
    assert CORPORA[name] is corpus
    assert corpus.name == name
    assert corpus.kind in ("speech", "text", "noise")
    assert (corpus.minutes is None) == (corpus.kind == "text") == (corpus.prepare_shard is None)
    assert (corpus.languages == ()) == (corpus.kind == "noise")
    assert all(re.fullmatch("[a-z]{2}", language) for language in corpus.languages)
    assert all(name in get_corpus(other).avoids for other in corpus.avoids)


def test_other_names_are_refused_with_the_known_ones() -> None:
    with pytest.raises(CorpusError, match=r"steel-sky, amazon-queen, .*wordnet"):
        get_corpus("nonsense")
    with pytest.raises(CorpusError, match=r"steel-sky, amazon-queen, .*wordnet"):
        prepare_shard("nonsense", Path("nowhere"), (0, 2))


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Path | None]]:
    """What is prepared, and from where, instead of preparing it."""
    names: list[tuple[str, Path | None]] = []

    def prepare_as(name: str) -> Callable[..., Prepared]:
        def prepare(root: Path, source: Path | None, progress: bool) -> Prepared:
            names.append((name, source))
            return Prepared(root / name, True, {})

        return prepare

    def shard_as(name: str) -> Callable[..., ShardDone]:
        def prepare(root: Path, source: Path | None, progress: bool, shard: Shard) -> ShardDone:
            names.append((f"{name} {shard}", source))
            return ShardDone(root / name, False, 1)

        return prepare

    for name, corpus in list(CORPORA.items()):
        shards = shard_as(name) if corpus.prepare_shard else None
        monkeypatch.setitem(CORPORA, name, replace(corpus, prepare=prepare_as(name), prepare_shard=shards))
    return names


def have(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    monkeypatch.setattr(
        "sprachbund.data.corpora.registry.find_prepared",
        lambda folder: Prepared(folder, True, {}) if folder.name in names else None,
    )


def test_texts_lose_the_lines_of_a_corpus_that_comes_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, called: list[tuple[str, Path | None]]
) -> None:
    have(monkeypatch, "wordnet")
    assert prepare_corpus("asterisk", tmp_path, tmp_path / "x").folder == tmp_path / "asterisk"
    assert called == [("asterisk", tmp_path / "x"), ("wordnet", None)]
    called.clear()
    prepare_corpus("wordnet", tmp_path)
    assert called == [("wordnet", None)]


def test_one_game_loses_the_texts_of_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, called: list[tuple[str, Path | None]]
) -> None:
    have(monkeypatch, "steel-sky", "amazon-queen", "asterisk", "bible", "fillets-cs")
    prepare_corpus("amazon-queen", tmp_path)
    assert called == [("amazon-queen", None), ("steel-sky", None), ("bible", None)]
    called.clear()
    prepare_corpus("asterisk", tmp_path)
    assert called == [("asterisk", None), ("bible", None)]


def test_shards_are_of_speech_and_leave_the_rest_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, called: list[tuple[str, Path | None]]
) -> None:
    have(monkeypatch, "wordnet")
    assert prepare_shard("fillets-cs", tmp_path, (1, 4), tmp_path / "x").num_recordings == 1
    assert called == [("fillets-cs (1, 4)", tmp_path / "x")]
    with pytest.raises(CorpusError, match=r"no shards.*--shard"):
        prepare_shard("bible", tmp_path, (1, 4))
