"""Every corpus, from a tree in its real layout to manifests: what comes out is what the builder of the tree knows."""

import json
import shutil
import urllib.error
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sprachbund.data.corpora.field.prepare import FieldCorpus, _find_overlap, prepare
from sprachbund.data.corpora.field.records import MISSING, OUTSIDE, UNREADABLE
from sprachbund.data.corpora.field.table import FIELD_CORPORA
from sprachbund.data.corpora.layout import Prepared, find_prepared
from sprachbund.data.storage.manifest import read_cuts
from sprachbund.data.units import read_waveform
from sprachbund.errors import CorpusError
from sprachbund.signal.audio import probe_audio, read_audio

SOUND_SUFFIXES = (".wav", ".flac", ".mp3", ".m4a")
NAMED = {corpus.name: corpus for corpus in FIELD_CORPORA}


def cuts_of(prepared: Prepared) -> dict[str, dict[str, Any]]:
    names = [name.removesuffix(".jsonl.gz") for name in prepared.description["files"]]
    return {name: {cut.id: cut for cut in read_cuts(prepared.folder / f"{name}.jsonl.gz")} for name in names}


def check(cut: Any, clip: Any) -> None:
    """A cut is the clip that the builder of the tree knows."""
    info = probe_audio(clip.path)
    duration = info.duration if clip.duration is None else clip.duration
    assert Path(cut.recording.sources[0].source).resolve() == clip.path.resolve()
    assert (cut.recording.num_samples, cut.recording.sampling_rate) == (info.num_samples, info.sampling_rate)
    assert (cut.start, cut.duration) == pytest.approx((clip.start, duration), abs=1e-6)
    custom = dict(cut.custom or {})
    assert (custom.pop("raw_text", None), custom.pop("translations", None)) == (clip.raw_text, clip.translations)
    assert custom == clip.custom
    told = [(sup.text, sup.speaker, sup.language, sup.gender, sup.start) for sup in cut.supervisions]
    is_speech = clip.text is not None or clip.speaker is not None
    assert told == ([(clip.text, clip.speaker, clip.language, clip.gender, 0.0)] if is_speech else [])
    waveform = read_audio(clip.path)[round(clip.start * 16000) :][: round(duration * 16000)]
    assert (read_waveform(cut) == waveform).all()


def test_cuts_are_what_the_builder_of_the_tree_knows(
    named_tree: tuple[str, Any], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    name, tree = named_tree
    prepared = prepare(NAMED[name], tmp_path / "corpora", tree.folder)
    cuts = cuts_of(prepared)
    assert {split: list(found) for split, found in cuts.items()} == {
        split: sorted(clips) for split, clips in tree.known.items()
    }
    for split, clips in tree.known.items():
        for cut_id, clip in clips.items():
            check(cuts[split][cut_id], clip)
        counts = prepared.description["splits"][split]
        assert (counts["cuts"], counts["speakers"]) == (len(clips), len({c.speaker for c in clips.values()} - {None}))
        assert counts["words"] == sum(len((clip.text or "").split()) for clip in clips.values())
    assert prepared.description["problems"] == {}
    assert capfd.readouterr() == ("", "")
    assert NAMED[name].licence in (prepared.folder / "LICENSE.txt").read_text("utf-8")


def test_every_place_near_the_corpus_may_be_given(named_tree: tuple[str, Any], tmp_path: Path) -> None:
    """The folder itself, the one above it, and a link to it give the same cuts."""
    name, tree = named_tree
    given = prepare(NAMED[name], tmp_path / "a", tree.folder)
    (tmp_path / "link").mkdir()
    (tmp_path / "link" / tree.folder.name).symlink_to(tree.folder)
    linked = prepare(NAMED[name], tmp_path / "b", tmp_path / "link" / tree.folder.name)
    assert linked.description["splits"] == given.description["splits"]


def test_what_is_complete_is_kept(named_tree: tuple[str, Any], tmp_path: Path) -> None:
    name, tree = named_tree
    corpus = NAMED[name]
    assert not prepare(corpus, tmp_path / "corpora", tree.folder).was_complete
    assert prepare(corpus, tmp_path / "corpora", tree.folder).was_complete
    assert prepare(corpus, tmp_path / "corpora").was_complete  # without --from there is nothing to download


def test_another_source_is_read_anew(build: Callable[[str], Any], tmp_path: Path) -> None:
    tree = build("librispeech")
    prepared = prepare(NAMED["librispeech"], tmp_path / "corpora", tree.folder)
    shutil.rmtree(tree.folder / "LibriSpeech/dev-clean")
    again = prepare(NAMED["librispeech"], tmp_path / "corpora", tree.folder)
    assert not again.was_complete
    assert sorted(path.name for path in prepared.folder.glob("*.gz")) == sorted(again.description["files"])
    assert "dev-clean.jsonl.gz" in prepared.description["files"]
    assert "dev-clean.jsonl.gz" not in again.description["files"]


def test_an_interrupted_preparation_is_not_complete(
    build: Callable[[str], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sprachbund.data.corpora.field import prepare as module

    tree, corpus = build("librispeech"), NAMED["librispeech"]
    whole = prepare(corpus, tmp_path / "whole", tree.folder).folder
    written: list[Path] = []

    def interrupt(cuts: Any, path: Path) -> None:
        if written:
            raise KeyboardInterrupt
        write_cuts(cuts, path)
        written.append(path)

    write_cuts = module.write_cuts
    monkeypatch.setattr(module, "write_cuts", interrupt)
    with pytest.raises(KeyboardInterrupt):
        prepare(corpus, tmp_path / "corpora", tree.folder)
    assert find_prepared(tmp_path / "corpora/librispeech") is None
    monkeypatch.setattr(module, "write_cuts", write_cuts)
    again = prepare(corpus, tmp_path / "corpora", tree.folder).folder
    for path in sorted(whole.iterdir()):
        assert (again / path.name).read_bytes() == path.read_bytes(), path


def first_clip(tree: Any) -> tuple[str, str, Any]:
    split = next(iter(tree.known))
    cut_id = next(iter(tree.known[split]))
    return split, cut_id, tree.known[split][cut_id]


def test_an_unreadable_recording_is_counted_and_the_rest_kept(named_tree: tuple[str, Any], tmp_path: Path) -> None:
    name, tree = named_tree
    split, cut_id, clip = first_clip(tree)
    clip.path.write_bytes(b"no audio at all")
    prepared = prepare(NAMED[name], tmp_path / "corpora", tree.folder)
    lost = sorted(other for other, known in tree.known[split].items() if known.path == clip.path)
    assert prepared.description["problems"] == {split: {UNREADABLE: {"count": len(lost), "examples": lost}}}
    assert any(split in remark and cut_id in remark for remark in prepared.description["remarks"])
    cuts = cuts_of(prepared)
    for other, clips in tree.known.items():
        for kept in clips.keys() - lost:
            check(cuts[other][kept], clips[kept])
        assert set(cuts.get(other, {})) == clips.keys() - set(lost)


def test_a_missing_recording_is_counted_and_the_rest_kept(named_tree: tuple[str, Any], tmp_path: Path) -> None:
    name, tree = named_tree
    split, _, clip = first_clip(tree)
    clip.path.unlink()
    prepared = prepare(NAMED[name], tmp_path / "corpora", tree.folder)
    lost = sorted(other for other, known in tree.known[split].items() if known.path == clip.path)
    # Of Libri-Light the chapter is named, not its segments; nothing names a recording of VoxCeleb.
    named = {"libri-light": [lost[0].removesuffix("-0")], "voxceleb": []}.get(name, lost)
    found = prepared.description["problems"].get(split, {}).get(MISSING, {"count": 0, "examples": []})
    assert found == {"count": len(named), "examples": named}
    for other, clips in tree.known.items():
        assert set(cuts_of(prepared).get(other, {})) == clips.keys() - set(lost)


def test_nothing_left_is_refused_in_one_sentence(named_tree: tuple[str, Any], tmp_path: Path) -> None:
    name, tree = named_tree
    for clips in tree.known.values():
        for clip in clips.values():
            clip.path.write_bytes(b"")
    with pytest.raises(CorpusError, match=f"nothing of {NAMED[name].title} can be used") as caught:
        prepare(NAMED[name], tmp_path / "corpora", tree.folder)
    assert "cannot be read" in str(caught.value)
    assert not (tmp_path / "corpora").exists()


@pytest.mark.parametrize("name", NAMED)
def test_a_wrong_folder_is_told_what_was_looked_for(name: str, tmp_path: Path) -> None:
    corpus = NAMED[name]
    (tmp_path / "wrong/some/where").mkdir(parents=True)
    (tmp_path / "wrong/notes.txt").write_text("nothing")
    for folder in (tmp_path / "wrong", tmp_path / "nowhere", tmp_path / "wrong/notes.txt"):
        with pytest.raises(CorpusError) as caught:
            prepare(corpus, tmp_path / "corpora", folder)
        assert corpus.title in str(caught.value)
        assert f"the folder that holds {corpus.layout}." in str(caught.value)
        assert str(folder) in str(caught.value)
    assert not (tmp_path / "corpora").exists()


def test_no_corpus_takes_the_tree_of_another(named_tree: tuple[str, Any], tmp_path: Path) -> None:
    name, tree = named_tree
    for corpus in FIELD_CORPORA:
        # Common Voice 4.0 is the ground of CoVoST 2.
        if corpus.name != name and (corpus.name, name) != ("common-voice", "covost-2"):
            with pytest.raises(CorpusError, match="this is no unpacked"):
                prepare(corpus, tmp_path / "corpora", tree.folder)


def test_overlap_is_told_and_not_removed(build: Callable[[str], Any], tmp_path: Path) -> None:
    tree = build("librispeech")
    description = prepare(NAMED["librispeech"], tmp_path / "corpora", tree.folder).description
    shared = {"splits": ["dev-clean", "train-clean-100"], "texts": 1, "examples": ["go do you hear"]}
    assert description["overlap"] == [shared]
    assert description["remarks"] == [
        "dev-clean and train-clean-100 share 1 texts, as published, for example: go do you hear"
    ]


def test_overlap_counts_within_a_language_and_not_among_training_sets() -> None:
    texts = {
        "train-clean-100": {"a", "b", "c"},
        "train-other-500": {"a"},
        "test.fr": {"a", "d"},
        "dev.fr": {"d", "e"},
        "dev.de": {"d"},
        "dev-clean": {"b", "c", "x"},
    }
    assert _find_overlap(texts) == [
        {"splits": ["train-clean-100", "dev-clean"], "texts": 2, "examples": ["b", "c"]},
        {"splits": ["test.fr", "dev.fr"], "texts": 1, "examples": ["d"]},
    ]


def test_an_empty_split_is_told(build: Callable[[str], Any], tmp_path: Path) -> None:
    tree = build("librispeech")
    (tree.folder / "LibriSpeech/dev-other").mkdir()
    prepared = prepare(NAMED["librispeech"], tmp_path / "corpora", tree.folder)
    assert "dev-other: nothing can be used, so it has no manifest" in prepared.description["remarks"]
    assert not (prepared.folder / "dev-other.jsonl.gz").exists()


def test_segments_beyond_their_recording_are_counted(build: Callable[[str], Any], tmp_path: Path) -> None:
    tree = build("must-c")
    listed = tree.folder / "en-de/data/train/txt/train.yaml"
    listed.write_text(listed.read_text().replace("offset: 0.5", "offset: 5.0"))
    prepared = prepare(NAMED["must-c"], tmp_path / "corpora", tree.folder)
    assert prepared.description["problems"] == {"train.en-de": {OUTSIDE: {"count": 1, "examples": ["ted_1_1"]}}}


DOWNLOADED = {"librispeech", "libritts", "ljspeech", "vctk", "cmu-arctic", "musan"}


def test_corpora_that_lhotse_fetches_are_downloaded_and_others_say_where_they_are(tmp_path: Path) -> None:
    assert {corpus.name for corpus in FIELD_CORPORA if corpus.download is not None} == DOWNLOADED
    for corpus in FIELD_CORPORA:
        if corpus.download is None:
            with pytest.raises(CorpusError) as caught:
                prepare(corpus, tmp_path)
            assert corpus.home in str(caught.value)
            assert "--from" in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_download_is_read_like_a_folder(named_tree: tuple[str, Any], tmp_path: Path) -> None:
    name, tree = named_tree
    asked: list[Path] = []

    def download(target: Path) -> None:
        asked.append(target)
        shutil.copytree(tree.folder, target, dirs_exist_ok=True)

    corpus = replace(NAMED[name], download=download)
    prepared = prepare(corpus, tmp_path / "corpora")
    assert asked == [tmp_path / "corpora" / name / "download"]
    assert {split: counts["cuts"] for split, counts in prepared.description["splits"].items()} == {
        split: len(clips) for split, clips in tree.known.items()
    }
    assert prepare(corpus, tmp_path / "corpora").was_complete
    assert len(asked) == 1


@pytest.mark.parametrize("error", [urllib.error.URLError("no route"), EOFError("cut"), ConnectionResetError("reset")])
def test_a_download_that_fails_is_one_sentence(error: Exception, tmp_path: Path) -> None:
    def fail(target: Path) -> None:
        raise error

    corpus: FieldCorpus = replace(NAMED["musan"], download=fail)
    with pytest.raises(CorpusError, match="MUSAN cannot be downloaded") as caught:
        prepare(corpus, tmp_path)
    assert "--from" in str(caught.value)


def test_the_description_can_be_read_by_everyone(build: Callable[[str], Any], tmp_path: Path) -> None:
    prepared = prepare(NAMED["musan"], tmp_path / "corpora", build("musan").folder)
    assert json.loads((prepared.folder / "corpus.json").read_text("utf-8")) == prepared.description
    assert prepared.description["source"] == "../../unpacked"


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_stands_in_its_tables_ends_in_a_corpus_or_a_sentence(
    data: st.DataObject, named_tree: tuple[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    name, tree = named_tree
    sound = {clip.path for clips in tree.known.values() for clip in clips.values()}
    tables = [path for path in sorted(tree.folder.rglob("*")) if path.is_file() and path.suffix not in SOUND_SUFFIXES]
    assert not sound & set(tables)
    path = tables[data.draw(st.integers(0, len(tables) - 1))]
    before = path.read_bytes()
    start, end = sorted(data.draw(st.tuples(st.integers(0, len(before)), st.integers(0, len(before)))))
    path.write_bytes(before[:start] + data.draw(st.binary(max_size=8)) + before[end:])
    try:
        prepared = prepare(NAMED[name], tmp_path_factory.mktemp("corpora"), tree.folder)
        assert sum(len(found) for found in cuts_of(prepared).values()) > 0
    except CorpusError as error:
        assert str(error)
    finally:
        path.write_bytes(before)
