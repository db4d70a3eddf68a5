from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from sprachbund.cli.corpus import app
from sprachbund.data.corpora import registry
from sprachbund.data.corpora.layout import Clip, Origin, Prepared, begin_corpus, find_prepared, finish_speech
from sprachbund.data.corpora.packages import STEEL_SKY
from sprachbund.errors import CorpusError


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "200"})


def prepare(root: Path, source: Path | None, progress: bool) -> Prepared:
    """Stands for a corpus: needs a source, and is complete the second time."""
    prepared = find_prepared(root / "steel-sky")
    if prepared is not None:
        return prepared
    if source is None:
        raise CorpusError("no source", mend="Pass one.")
    notices = source / "usr/share/doc" / STEEL_SKY.name
    notices.mkdir(parents=True)
    (notices / "copyright").write_text("mine")
    origin = Origin("steel-sky", ("en",), "free", "by me", ((STEEL_SKY, source),), ("copyright",))
    clip = Clip("a", "recordings/a.flac", 16000, 96000, "three words here", "en")
    return finish_speech(begin_corpus(root, "steel-sky"), origin, {"train": [clip]}, {})


@pytest.fixture(autouse=True)
def one_corpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.CORPORA, "steel-sky", replace(registry.CORPORA["steel-sky"], prepare=prepare))


def test_a_corpus_is_got_once(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    first = run("get", "steel-sky", "--root", tmp_path, "--from", tmp_path / "source")
    assert first.exit_code == 0, first.output
    assert "train: 1 cuts, 0.10 minutes, 3 words" in first.output
    assert "Licence: free" in first.output
    again = run("get", "steel-sky", "--root", tmp_path)
    assert again.exit_code == 0
    assert "nothing to do" in again.output


def test_the_list_says_what_is_there(tmp_path: Path) -> None:
    before = run("list", "--root", tmp_path)
    assert before.exit_code == 0, before.output
    assert "steel-sky" in before.output
    assert "wordnet" in before.output
    assert " yes " not in before.output
    (tmp_path / "source").mkdir()
    run("get", "steel-sky", "--root", tmp_path, "--from", tmp_path / "source")
    assert run("list", "--root", tmp_path).output.count(" yes ") == 1


def test_errors_are_those_of_the_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(run("get", "nonsense", "--root", tmp_path).exception, CorpusError)
    assert isinstance(run("get", "steel-sky", "--root", tmp_path).exception, CorpusError)

    def fill_disk(root: Path, source: Path | None, progress: bool) -> Prepared:
        raise OSError(28, "No space left on device", str(root / "x.flac"))

    changed = replace(registry.CORPORA["steel-sky"], prepare=fill_disk)
    monkeypatch.setitem(registry.CORPORA, "steel-sky", changed)
    result = run("get", "steel-sky", "--root", tmp_path)
    assert isinstance(result.exception, CorpusError)
    assert "No space left" in str(result.exception)
