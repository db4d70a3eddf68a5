import re
import shutil
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from sprachbund.data.corpora import speech, steel_sky
from sprachbund.data.corpora.package_cache import Package
from sprachbund.data.corpora.sky_archive import SkyArchive, Voice
from sprachbund.data.corpora.sky_texts import LANGUAGE_SLOTS
from sprachbund.data.corpora.speech import prepare_speech
from sprachbund.data.corpora.steel_sky import CORPUS, SkyLine, split_lines, to_clip, to_natural_text
from sprachbund.data.storage.manifest import read_cuts
from sprachbund.errors import CorpusError
from sprachbund.signal.audio import read_audio
from sprachbund.tokens.normalize import normalize_text

prepare = partial(prepare_speech, steel_sky.read, steel_sky.NAME, CORPUS.avoids)


def line(section: int, index: int, english: str, samples: int = 11025) -> SkyLine:
    return SkyLine(Voice(section, index, samples), english, {"de": "Das ist GUT."})


# (section, index) -> English text; two training lines repeat held-out ones, one line is too short, one has no text.
GAME = {
    (0, 1): "Huh! I don't want it.",
    (0, 2): "Press 30, Joey...",
    (1, 0): "HELLO there!",
    (2, 0): "It's a spanner.",
    (2, 1): "Hello THERE",
    (2, 2): "Huh? I don't want it!",
    (2, 3): "...",
    (3, 0): "Too short",
    (4, 33): "My robot.",
    (6, 0): "Unused section.",
}


@pytest.fixture
def source(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    cache: Path,
    build_sky: Callable[..., Any],
    package_notices: Callable[[str], dict[str, bytes]],
    write_files: Callable[..., None],
) -> Path:
    """The unpacked package of a tiny game, and a `STEEL_SKY` of its sizes."""
    voices = {
        place: (bytes(range(place[0], 256, 5)) * 100)[: 4410 if place == (3, 0) else 4500 + place[1]] for place in GAME
    }
    texts = {}
    for language in LANGUAGE_SLOTS:
        for section in range(8):
            row = [b"UNVOICED"] * 40
            for (of, index), text in GAME.items():
                if of == section:
                    row[index] = text.encode() if language.startswith("en") else b"ROBOT in N" + language.encode()
            texts[language, section] = row
    content = {f"{steel_sky._DATA}/{name}": data for name, data in build_sky(voices, texts).items()}
    package = Package("beneath-a-steel-sky", tuple((name, len(data)) for name, data in content.items()))
    monkeypatch.setattr(steel_sky, "STEEL_SKY", package)
    write_files(tmp_path / "unpacked", {**content, **package_notices(package.name)})
    return tmp_path / "unpacked"


def test_the_corpus_is_split_by_scene_without_texts_of_held_out_sets(source: Path, tmp_path: Path) -> None:
    prepared = prepare(tmp_path / "corpora", source)
    folder = tmp_path / "corpora" / "steel-sky"
    assert prepared.folder == folder
    assert not prepared.was_complete
    texts = {
        split: [cut.supervisions[0].text for cut in read_cuts(folder / f"{split}.jsonl.gz")]
        for split in ("train", "dev", "test")
    }
    assert texts == {
        "train": ["it's a spanner", "my robot"],
        "dev": ["hello there"],
        "test": ["huh i don't want it", "press thirty joey"],
    }
    assert prepared.description["splits"]["test"] == {"cuts": 2, "minutes": 0.01, "words": 8}
    assert prepared.description["packages"] == {"beneath-a-steel-sky": "1.2-3"}
    licence = (folder / "LICENSE.txt").read_text("utf-8")
    assert all(part in licence for part in ("Revolution Software", "© the makers", "read me", "MODIFIED VERSION"))
    assert not [path for path in folder.rglob("*") if path.name.startswith(".")]


def test_recordings_hold_the_samples_exactly(source: Path, tmp_path: Path) -> None:
    folder = prepare(tmp_path / "corpora", source).folder
    archive = SkyArchive(source / steel_sky._DATA)
    for cut in read_cuts(folder / "test.jsonl.gz"):
        samples = np.frombuffer(archive.read_voice(cut.custom["section"], cut.custom["index"]), np.uint8)
        waveform = read_audio(Path(cut.recording.sources[0].source), 11025)
        np.testing.assert_array_equal(waveform, (samples.astype(np.float32) - 128) / 128)
        assert cut.recording.num_samples == cut.num_samples == len(samples)
        np.testing.assert_array_equal(cut.load_audio()[0], waveform)
    assert sorted(path.name for path in (folder / "recordings").iterdir()) == [
        "0-0001.flac",
        "0-0002.flac",
        "1-0000.flac",
        "2-0000.flac",
        "4-0033.flac",
    ]


def test_cuts_carry_the_translations_in_natural_case(source: Path, tmp_path: Path) -> None:
    folder = prepare(tmp_path / "corpora", source).folder
    cut = read_cuts(folder / "test.jsonl.gz")[0]
    assert cut.custom["raw_text"] == "Huh! I don't want it."
    assert cut.supervisions[0].language == "en"
    assert set(cut.custom["translations"]) == {"de", "fr", "sv", "it", "pt", "es"}
    assert cut.custom["translations"]["sv"] == "Robot in Nsv"
    assert (cut.custom["section"], cut.custom["index"]) == (0, 1)


def test_a_complete_corpus_is_left_alone(source: Path, tmp_path: Path) -> None:
    first = prepare(tmp_path / "corpora", source)
    shutil.rmtree(source)
    again = prepare(tmp_path / "corpora")
    assert again.was_complete
    assert again.description == first.description


def test_an_interrupted_preparation_goes_on_and_gives_the_same_bytes(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = prepare(tmp_path / "whole", source).folder
    written = []

    def fail_at_third(path: Path, *arguments: Any) -> None:
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(path)
        steel_sky_write(path, *arguments)

    steel_sky_write = speech.write_audio
    monkeypatch.setattr(speech, "write_audio", fail_at_third)
    with pytest.raises(KeyboardInterrupt):
        prepare(tmp_path / "broken", source)
    folder = tmp_path / "broken" / "steel-sky"
    assert not (folder / "corpus.json").exists()
    assert len(list((folder / "recordings").iterdir())) == 2
    written[0].write_bytes(written[0].read_bytes()[:-40])  # half written by something else
    soundfile.write(written[1], np.zeros(99, np.int16), 11025)  # of another length
    monkeypatch.setattr(speech, "write_audio", steel_sky_write)
    prepare(tmp_path / "broken", source)
    for path in sorted(whole.rglob("*.*")):
        assert (folder / path.relative_to(whole)).read_bytes() == path.read_bytes(), path


def test_recordings_that_are_there_are_not_written_again(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = prepare(tmp_path, source).folder
    (folder / "corpus.json").unlink()
    monkeypatch.setattr(speech, "write_audio", lambda *_: pytest.fail("written again"))
    assert not prepare(tmp_path, source).was_complete


def test_changed_manifests_are_written_again(source: Path, tmp_path: Path) -> None:
    folder = prepare(tmp_path, source).folder
    before = (folder / "dev.jsonl.gz").read_bytes()
    (folder / "dev.jsonl.gz").write_bytes(b"")
    assert not prepare(tmp_path, source).was_complete
    assert (folder / "dev.jsonl.gz").read_bytes() == before


def test_a_damaged_archive_leaves_nothing_complete(source: Path, tmp_path: Path) -> None:
    data = source / steel_sky._DATA / "sky.dsk"
    content = bytearray(data.read_bytes())
    content[200] ^= 1
    data.write_bytes(content)
    with pytest.raises(CorpusError, match=r"sky\.dsk"):
        prepare(tmp_path / "corpora", source)
    assert not list((tmp_path / "corpora").rglob("corpus.json"))


def test_short_and_empty_lines_are_not_usable() -> None:
    assert line(0, 0, "Yes", 4411).is_usable
    assert not line(0, 0, "Yes", 4410).is_usable
    assert not line(0, 0, "...!").is_usable


def test_numbers_are_spelled_in_every_text() -> None:
    clip = to_clip(line(1, 7, "\u2018...requisition form SOS23.'"))
    assert clip.text == "requisition form sos twenty three"
    assert line(1, 7, "\u2018...requisition form SOS23.'").normalized == "requisition form sos23"
    assert to_natural_text("WD40! 30 TRANSPORTROBOTER", "de") == "WD vierzig! dreißig Transportroboter"


def test_dev_texts_of_the_test_set_are_dropped() -> None:
    splits = split_lines([line(2, 0, "A a"), line(2, 1, "B"), line(1, 0, "B"), line(1, 1, "C"), line(5, 0, "c!")])
    assert {split: [clip.text for clip in clips] for split, clips in splits.items()} == {
        "train": ["a a"],
        "dev": ["b"],
        "test": ["c"],
    }


def minutes(lines: list[SkyLine]) -> float:
    return round(sum(line.voice.num_samples for line in lines) / 11025 / 60, 2)


def test_real_sky_lines_have_the_known_counts(real_sky_lines: list[SkyLine], facts: Callable[[str], Any]) -> None:
    known = facts("acceptance")["steel_sky"]
    usable = [line for line in real_sky_lines if line.is_usable]
    assert len(usable) == known["usable_clips"]
    assert minutes(usable) == known["usable_minutes"]
    assert sum(len(line.normalized.split()) for line in usable) == known["usable_words_en"]
    assert len({line.normalized for line in usable}) == known["distinct_lines_en"]
    assert sum(len(line.normalized.split()) >= 3 for line in usable) == 3274
    words = Counter()
    for line in usable:
        words.update({name: len(normalize_text(text).split()) for name, text in line.translations.items()})
        assert all(normalize_text(text) for text in line.translations.values())
    assert words == known["translated_words"]


def test_real_splits_have_the_known_counts(real_sky_lines: list[SkyLine], facts: Callable[[str], Any]) -> None:
    """The known words count digits as they are written; ours are spelled, which adds two words to one dev line."""
    known = facts("acceptance")["steel_sky"]["split"]
    lines = {(line.voice.section, line.voice.index): line for line in real_sky_lines}
    splits = split_lines(list(lines.values()))
    for split, clips in splits.items():
        of_split = [lines[clip.custom["section"], clip.custom["index"]] for clip in clips]
        words = sum(len(line.normalized.split()) for line in of_split)
        assert [len(clips), minutes(of_split), words] == known[split]
    spelled = {split: sum(len(clip.text.split()) for clip in clips) for split, clips in splits.items()}
    assert spelled == {"train": 14_571, "dev": 1_961 + 2, "test": 3_797}
    assert [len({clip.text for clip in splits[split]}) for split in ("train", "dev", "test")] == [2401, 332, 618]
    unused = [line for line in lines.values() if line.voice.section in (6, 7) and line.is_usable]
    assert [len(unused), minutes(unused)] == known["unused"][:2]
    assert not any(character.isdigit() for clips in splits.values() for clip in clips for character in clip.text)
    for clips in splits.values():
        for clip in clips:
            assert not any(re.search(r"\d", text) for text in clip.custom["translations"].values())


def test_unknown_words_of_real_translations_are_the_known_ones(
    real_sky_lines: list[SkyLine], facts: Callable[[str], Any]
) -> None:
    """Holds only if characters and natural case are right: the known words were counted behind both."""
    tokens: dict[str, Counter[str]] = {}
    for line in real_sky_lines:
        for name, text in line.translations.items():
            found = re.findall(r"[^\W\d_]+", to_natural_text(text, name))
            tokens.setdefault(name, Counter()).update(token.lower() for token in found)
    for name, words in facts("steel_sky_unknown_words").items():
        assert [word for word, count in words if tokens[name][word.lower()] < count] == []


def test_texts_that_the_other_game_holds_out_leave_training(
    source: Path, tmp_path: Path, finish_tiny: Callable[..., Any]
) -> None:
    root = tmp_path / "corpora"
    before = prepare(root, source).description
    assert before["splits"]["train"]["cuts"] == 2
    assert "checked_against" not in before
    finish_tiny(root / "amazon-queen", train=["my robot"], dev=["It's a spanner!"], test=["anything"])
    after = prepare(root, source)
    assert [cut.supervisions[0].text for cut in read_cuts(after.folder / "train.jsonl.gz")] == ["my robot"]
    assert after.description["splits"]["dev"] == before["splits"]["dev"]
    assert list(after.description["checked_against"]) == ["amazon-queen"]
    assert prepare(root).was_complete
    finish_tiny(root / "amazon-queen", train=["x"], dev=["nothing"], test=["anything"])
    assert prepare(root, source).description["splits"]["train"] == before["splits"]["train"]


@pytest.mark.slow
def test_the_real_corpus_is_prepared_on_all_processors(real_sky: SkyArchive, tmp_path: Path) -> None:
    prepared = prepare(tmp_path)
    assert [prepared.description["splits"][split]["cuts"] for split in ("train", "dev", "test")] == [2452, 335, 622]
    for split in ("train", "dev", "test"):
        for cut in read_cuts(prepared.folder / f"{split}.jsonl.gz"):
            assert soundfile.info(cut.recording.sources[0].source).frames == cut.num_samples
