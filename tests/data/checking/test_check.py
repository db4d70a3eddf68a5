import gzip
from pathlib import Path

import pytest
from lhotse import CutSet
from lhotse.utils import fastcopy

import tiny
from sprachbund.data.checking import sounds
from sprachbund.data.checking.check import Inputs, check
from sprachbund.data.checking.problems import Report
from sprachbund.data.checking.rules import Rules
from sprachbund.data.storage.manifest import read_cuts, write_cuts
from sprachbund.errors import DataError


def test_sound_cuts_are_summed_up(tmp_path: Path):
    path = tiny.write_corpus(tmp_path, 3)
    report = check(Inputs(manifests=[path]), Rules()).report
    minutes = sum(tiny.clip_samples(3)) / 16_000 / 60
    assert report.is_clean
    assert str(report.summaries[path]) == f"3 clips, {minutes:.2f} minutes, 4 words, 9 characters, 0 speakers, 16000 Hz"


def test_texts_are_judged_with_the_held_out_sets(tmp_path: Path):
    held_out = tiny.write_corpus(tmp_path, 3, name="dev")
    text = tiny.write_text(tmp_path)
    report = check(Inputs(held_out=[held_out], texts=[text]), Rules(tokenizer=tiny.character_tokenizer())).report
    assert report.found() == {"held-out-text": 3}
    assert report.short_overlaps == 3
    assert report.summaries[text].clips == len(tiny.LINES)
    assert not report.blamed


def test_one_recording_of_many_cuts_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    cut = next(iter(tiny.make_cuts(tmp_path, 1, samples=[32_000])))
    parts = [fastcopy(cut, id=f"part-{number}", start=number * 0.2, duration=0.2) for number in range(9)]
    write_cuts(CutSet.from_cuts(parts), tmp_path / "a.jsonl")
    read: list[str] = []
    plain = sounds.open_recording
    monkeypatch.setattr(sounds, "open_recording", lambda path: (read.append(path), plain(path))[1])
    assert check(Inputs(manifests=[tmp_path / "a.jsonl"]), Rules()).report.is_clean
    assert len(read) == 1


def test_ids_across_manifests(tmp_path: Path):
    paths = [
        tiny.write_corpus(tmp_path / name, 2, samples=[8000 + 100 * number] * 2) for number, name in enumerate("ab")
    ]
    report = check(Inputs(manifests=paths), Rules()).report
    assert report.found() == {"duplicate-id": 2}
    assert list(report.blamed) == [paths[1]]


def test_files_that_are_missing_or_given_twice(tmp_path: Path):
    path = tiny.write_corpus(tmp_path, 1)
    for inputs in (Inputs(manifests=[path, tmp_path / "none"]), Inputs(manifests=[path], texts=[tmp_path])):
        with pytest.raises(DataError, match="no such file"):
            check(inputs, Rules())
    with pytest.raises(DataError, match="given twice"):
        check(Inputs(manifests=[path], held_out=[path.parent / "audio" / ".." / path.name]), Rules())


def test_what_cannot_be_read_at_all_is_a_problem(tmp_path: Path):
    (tmp_path / "empty.txt").write_bytes(b"")
    (tmp_path / "a.jsonl.gz").write_bytes(b"no gzip")
    report = check(Inputs(manifests=[tmp_path / "a.jsonl.gz"], texts=[tmp_path / "empty.txt"]), Rules()).report
    assert report.found() == {"damaged-file": 2}


def found_in(path: Path, dev: Path) -> Report:
    return check(Inputs(manifests=[path], held_out=[dev]), Rules()).report


def test_a_manifest_cut_short_tells_its_damage_and_the_rest_is_checked(tmp_path: Path):
    path, dev = tiny.write_corpus(tmp_path, 8), tiny.write_corpus(tmp_path, 1, name="dev", samples=[5000])
    cuts = [fastcopy(cut, supervisions=[]) for cut in read_cuts(path)]
    write_cuts(CutSet.from_cuts(cuts), path)
    assert found_in(path, dev).is_clean
    content = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(content.replace(b"clip-002.wav", b"gone-002.wav"))[:-4])
    assert found_in(path, dev).found() == {"damaged-file": 1, "missing-audio": 1}
