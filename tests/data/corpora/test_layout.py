import json
from pathlib import Path

import numpy as np
import pytest

from sprachbund.data.corpora.layout import (
    Clip,
    Origin,
    begin_corpus,
    count_clips,
    find_prepared,
    fingerprint_files,
    finish_speech,
    is_written,
    refinish_corpus,
)
from sprachbund.data.corpora.package_cache import Package
from sprachbund.data.storage.manifest import read_cuts, write_cuts
from sprachbund.errors import CorpusError, DataError
from sprachbund.signal.audio import write_audio

PACKAGE = Package("p", ())
CLIP = Clip("a", "recordings/a.flac", 8000, 4000, "two words", "en", "me", {"key": "k"})


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    notices = tmp_path / "usr/share/doc/p"
    notices.mkdir(parents=True)
    (notices / "copyright").write_bytes("caf\xe9\r\n".encode("latin-1"))
    return Origin("tiny", ("en",), "free", "by me", ((PACKAGE, tmp_path),), ("copyright",))


def test_a_finished_corpus_is_found_and_describes_itself(origin: Origin, tmp_path: Path) -> None:
    folder = begin_corpus(tmp_path, "tiny")
    assert find_prepared(folder) is None
    finished = finish_speech(folder, origin, {"train": [CLIP], "test": [CLIP]}, {"extra": 1})
    found = find_prepared(folder)
    assert found is not None
    assert (found.was_complete, finished.was_complete) == (True, False)
    assert found.description == finished.description == json.loads((folder / "corpus.json").read_text("utf-8"))
    assert found.description["splits"]["train"] == {"cuts": 1, "minutes": 0.01, "words": 2}
    assert found.description["extra"] == 1
    assert "café" in (folder / "LICENSE.txt").read_text("utf-8")
    cut = read_cuts(folder / "train.jsonl.gz")[0]
    assert cut.recording.sources[0].source == str(folder.resolve() / "recordings/a.flac")
    assert (cut.supervisions[0].speaker, cut.custom, cut.duration) == ("me", {"key": "k"}, 0.5)


def test_beginning_withdraws_the_mark(origin: Origin, tmp_path: Path) -> None:
    finish_speech(begin_corpus(tmp_path, "tiny"), origin, {"train": [CLIP]}, {})
    assert find_prepared(begin_corpus(tmp_path, "tiny")) is None


@pytest.mark.parametrize(
    "damage", ["{", "[]", '{"layout": 1}', '{"layout": 99}', '{"layout": 1, "fingerprint": "", "files": 3}']
)
def test_damaged_descriptions_are_no_mark(damage: str, tmp_path: Path) -> None:
    (tmp_path / "corpus.json").write_text(damage)
    assert find_prepared(tmp_path) is None


def test_a_corpus_without_its_manifest_is_not_complete(origin: Origin, tmp_path: Path) -> None:
    folder = begin_corpus(tmp_path, "tiny")
    finish_speech(folder, origin, {"train": [CLIP]}, {})
    (folder / "train.jsonl.gz").unlink()
    assert find_prepared(folder) is None
    with pytest.raises(DataError):
        fingerprint_files([folder / "train.jsonl.gz"])


def test_a_corpus_without_the_notices_is_not_finished(tmp_path: Path) -> None:
    origin = Origin("tiny", ("en",), "free", "by me", ((PACKAGE, tmp_path),), ("copyright",))
    folder = begin_corpus(tmp_path, "tiny")
    with pytest.raises(CorpusError, match="copyright"):
        finish_speech(folder, origin, {"train": [CLIP]}, {})
    assert find_prepared(folder) is None


def test_folders_that_cannot_be_made_are_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CorpusError, match="--root"):
        begin_corpus(tmp_path / "file", "tiny")


def test_only_whole_recordings_count_as_written(tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    assert not is_written(path, 800, 8000)
    write_audio(path, np.sin(np.arange(800, dtype=np.float32)), 8000)
    assert is_written(path, 800, 8000)
    assert not is_written(path, 801, 8000)
    assert not is_written(path, 800, 16000)
    path.write_bytes(path.read_bytes()[:-100])
    assert not is_written(path, 800, 8000)
    path.write_bytes(b"no audio")
    assert not is_written(path, 800, 8000)


def test_recordings_without_text_have_no_supervision(origin: Origin, tmp_path: Path) -> None:
    folder = begin_corpus(tmp_path, "tiny")
    finish_speech(folder, origin, {"train": [Clip("n", "recordings/n.flac", 8000, 4000, "", "")]}, {})
    assert read_cuts(folder / "train.jsonl.gz")[0].supervisions == []


def test_a_changed_corpus_gets_a_new_fingerprint(origin: Origin, tmp_path: Path) -> None:
    folder = begin_corpus(tmp_path, "tiny")
    before = finish_speech(folder, origin, {"train": [CLIP], "test": [CLIP]}, {}).description
    (folder / "test.jsonl.gz").write_bytes(b"not gzip")
    with pytest.raises(DataError):
        refinish_corpus(folder, before)
    write_cuts([cut.with_id("other") for cut in read_cuts(folder / "train.jsonl.gz")], folder / "test.jsonl.gz")
    after = refinish_corpus(folder, before).description
    assert after["fingerprint"] != before["fingerprint"]
    assert {**after, "fingerprint": ""} == {**before, "fingerprint": ""}
    assert find_prepared(folder) is not None


def test_counts_of_no_clips() -> None:
    assert count_clips([]) == {"cuts": 0, "minutes": 0.0, "words": 0}
