from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lhotse.recipes.librispeech import prepare_librispeech
from lhotse.recipes.ljspeech import prepare_ljspeech

from sprachbund.data.corpora.field import adapters
from sprachbund.data.corpora.field.inventory import Inventory
from sprachbund.data.corpora.field.records import INCOMPLETE, LEFT_OUT, MISSING, UNTRANSCRIBED
from sprachbund.errors import CorpusError

READERS = {
    "librispeech": adapters.read_librispeech,
    "libritts": adapters.read_libritts,
    "ljspeech": adapters.read_ljspeech,
    "vctk-0.92": adapters.read_vctk,
    "vctk-0.80": adapters.read_vctk,
    "cmu-arctic": adapters.read_cmu_arctic,
    "musan": adapters.read_musan,
}
Build = Callable[[str], Any]


def read(layout: str, folder: Path) -> dict[str, Any]:
    return READERS[layout](folder, Inventory(layout))


@pytest.mark.parametrize("layout", READERS)
def test_each_reader_gives_the_utterances_of_its_tree(layout: str, build: Build) -> None:
    tree = build(layout)
    splits = read(layout, tree.folder)
    assert {name: sorted(said.utterance_id for said in split.utterances) for name, split in splits.items()} == {
        name: sorted(clips) for name, clips in tree.known.items()
    }
    assert not any(split.problems for split in splits.values())


@pytest.mark.parametrize("layout", READERS)
def test_each_reader_gives_nothing_of_another_folder(layout: str, tmp_path: Path) -> None:
    assert read(layout, tmp_path) == {}


def test_lhotse_by_itself_tells_the_same_of_whole_trees(build: Build, tmp_path: Path) -> None:
    """Durations, speakers and texts of the recipe on its own, read with its own audio backend."""
    tree = build("librispeech")
    manifests = prepare_librispeech(tree.folder / "LibriSpeech")
    for part, split in read("librispeech", tree.folder).items():
        inventory = Inventory("")
        inventory.look(said.recording for said in split.utterances)
        durations = {recording.id: recording.duration for recording in manifests[part]["recordings"]}
        told = {sup.id: (sup.text, sup.speaker, durations[sup.id]) for sup in manifests[part]["supervisions"]}
        assert told == {
            said.utterance_id: (said.text, said.speaker, inventory.infos[said.recording].duration)
            for said in split.utterances
        }


@pytest.mark.parametrize(
    ("layout", "name"),
    [
        ("librispeech", "LibriSpeech/dev-clean/84/121123/84-121123-0099.flac"),
        ("libritts", "LibriTTS/dev-clean/84/121123/84_121123_000099_000000.wav"),
        ("ljspeech", "wavs/LJ001-0099.wav"),
        ("vctk-0.92", "VCTK-Corpus-0.92/wav48_silence_trimmed/p315/p315_001_mic1.flac"),
        ("vctk-0.80", "wav48/p315/p315_001.wav"),
        ("cmu-arctic", "cmu_us_bdl_arctic/wav/arctic_a0099.wav"),
    ],
)
def test_recordings_without_a_transcript_are_counted(layout: str, name: str, build: Build) -> None:
    tree = build(layout)
    first = next(iter(next(iter(tree.known.values())).values())).path
    (tree.folder / name).parent.mkdir(parents=True, exist_ok=True)
    (tree.folder / name).write_bytes(first.read_bytes())
    split = next(iter(read(layout, tree.folder).values()))
    assert [len(found) for found in split.problems.values()] == [1]
    assert split.problems[UNTRANSCRIBED][0].endswith(Path(name).stem.removeprefix("cmu_"))


def test_what_a_recipe_passes_over_is_told(build: Build) -> None:
    """The recipe for LibriTTS knows a recording as damaged, and leaves it out whatever it holds."""
    tree = build("libritts")
    place = tree.folder / "LibriTTS/train-clean-100/1092/134562"
    name = "1092_134562_000013_000004"
    first = next(iter(tree.known["dev-clean"].values())).path
    place.mkdir(parents=True)
    for wav in (name, "1092_134562_000014_000000"):
        (place / f"{wav}.wav").write_bytes(first.read_bytes())
        for kind, ending in (("trans", ""), ("book", "\t0\t1\t9.0")):
            with (place / f"1092_134562.{kind}.tsv").open("a") as handle:
                handle.write(f"{wav}\ta\ta{ending}\n")
    assert read("libritts", tree.folder)["train-clean-100"].problems == {LEFT_OUT: [name]}


def test_a_name_that_points_out_of_the_folder_is_not_taken(build: Build) -> None:
    tree = build("librispeech")
    (tree.folder / "x.flac").write_bytes(next(iter(tree.known["dev-clean"].values())).path.read_bytes())
    with (tree.folder / "LibriSpeech/dev-clean/84/121123/84-121123.trans.txt").open("a") as handle:
        handle.write("../x SECRET\n")
    split = read("librispeech", tree.folder)["dev-clean"]
    assert split.problems == {MISSING: ["../x"]}
    assert {said.utterance_id for said in split.utterances} == set(tree.known["dev-clean"])


def test_holes_at_which_recipes_end_are_taken_out_of_their_sight(build: Build) -> None:
    """Lhotse's recipes for VCTK, CMU ARCTIC and MUSAN end at a text without a recording."""
    tree = build("vctk-0.92")
    (tree.folder / "VCTK-Corpus-0.92/txt/p225/p225_999.txt").write_text("Alone.")
    assert read("vctk-0.92", tree.folder)["all"].problems == {MISSING: ["p225_999_mic1"]}


def test_incomplete_annotations_of_music_are_passed_by(build: Build) -> None:
    tree = build("musan")
    (tree.folder / "musan/music/fma/ANNOTATIONS").write_text("music-fma-0000 blues\n\nmusic-fma-0001 a N b\n")
    music = read("musan", tree.folder)["music"]
    assert [said.custom for said in music.utterances] == [{}]
    assert music.problems == {MISSING: ["music-fma-0001"], INCOMPLETE: ["music-fma-0000"]}


@pytest.mark.parametrize(
    ("layout", "name", "content", "told"),
    [
        ("librispeech", "LibriSpeech/dev-clean/84/121123/84-121123.trans.txt", "84-121123-0000\n", "2 fields"),
        ("libritts", "LibriTTS/dev-clean/84/121123/84_121123.trans.tsv", "84_1\ta\n", "3 fields"),
        ("libritts", "LibriTTS/dev-clean/84/121123/84_121123.book.tsv", "84_1\ta\n", "Lhotse's recipe"),
        ("ljspeech", "metadata.csv", "LJ001-0001|a|b\n\nLJ001-0002|a|b\n", "line 2"),
        ("vctk-0.92", "VCTK-Corpus-0.92/speaker-info.txt", "NAME\n", "Lhotse's recipe"),
        ("cmu-arctic", "cmu_us_bdl_arctic/etc/txt.done.data", "arctic_a0001 Author\n", "prompt"),
    ],
)
def test_damaged_transcripts_are_one_sentence(layout: str, name: str, content: str, told: str, build: Build) -> None:
    tree = build(layout)
    (tree.folder / name).write_text(content)
    with pytest.raises(CorpusError, match=told) as caught:
        read(layout, tree.folder)
    assert str(tree.folder) in str(caught.value)


def test_one_voice_of_arctic_may_be_given(build: Build) -> None:
    tree = build("cmu-arctic")
    for folder, expected in ((tree.folder / "cmu_us_slt_arctic", 2), (tree.folder.parent, 4)):
        assert len(read("cmu-arctic", folder)["all"].utterances) == expected


def test_lhotse_alone_ends_at_an_unreadable_recording(build: Build) -> None:
    """Why readers answer for the audio: if this fails, a newer Lhotse may not need it."""
    tree = build("ljspeech")
    next(iter(tree.known["all"].values())).path.write_bytes(b"")
    with pytest.raises(Exception, match="failed"):
        prepare_ljspeech(tree.folder)
    assert len(read("ljspeech", tree.folder)["all"].utterances) == 2  # the driver counts it
