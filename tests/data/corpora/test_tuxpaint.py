from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sprachbund.data.corpora import splits, tuxpaint
from sprachbund.data.corpora.package_cache import Package
from sprachbund.data.corpora.packages import TUXPAINT
from sprachbund.data.corpora.splits import assign_by_checksum
from sprachbund.data.corpora.tuxpaint import (
    CORPORA,
    LANGUAGES,
    Description,
    decode,
    find_noises,
    find_spoken,
    read_descriptions,
    read_texts,
    split_descriptions,
    split_noises,
)
from sprachbund.data.storage.manifest import read_cuts
from sprachbund.errors import CorpusError
from sprachbund.signal.audio import probe_audio, write_audio

# Of the facts: clips, those with a text, minutes of these, their texts, their words, and train, dev, test of them.
KNOWN = {
    "fr": (928, 927, 21.22, 774, 4078, [738, 90, 99]),
    "ru": (920, 920, 23.46, 774, 2630, [731, 90, 99]),
    "ro": (920, 915, 29.61, 762, 3564, [726, 90, 99]),
    "ca": (918, 917, 14.42, 762, 3773, [730, 89, 98]),
    "bg": (917, 912, 20.80, 771, 2813, [725, 89, 98]),
    "es": (890, 890, 25.43, 738, 3822, [707, 88, 95]),
    "be": (694, 690, 16.14, 607, 1711, [540, 67, 83]),
    "el": (681, 659, 17.58, 565, 2408, [525, 68, 66]),
    "da": (322, 321, 5.18, 300, 906, [256, 32, 33]),
    "nl": (67, 67, 0.58, 67, 139, [51, 5, 11]),
    "en": (66, 65, 0.86, 65, 133, [49, 5, 11]),
}


@pytest.fixture
def source(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    cache: Path,
    package_notices: Callable[[str], dict[str, bytes]],
    write_files: Callable[..., None],
) -> Path:
    """The unpacked package with a few stamps."""
    stamps = tmp_path / "unpacked" / tuxpaint._STAMPS
    texts = {
        "a/cow.txt": "A cow.\nfr.utf8=Une vache, 2 cornes.\nel.utf8=Αγελάδα 2\nsr@latin.utf8=Krava\n\n",
        "a/dog.txt": "A dog.\nfr.utf8= Un chien. \nel.utf8=Σκύλος",
        "a/pig.txt": "A pig.\nfr.utf8=Un chien !",
        "b/owl.txt": "An owl.",
    }
    write_files(stamps, {name: text.encode() for name, text in texts.items()})
    sounds = ["a/cow_desc_fr", "a/dog_desc_fr", "a/pig_desc_fr", "a/cow_desc_el", "a/dog_desc_el", "b/owl_desc_fr"]
    sounds += ["a/cow_desc", "a/cow", "symbols/a/1", "a/gone_desc_fr", "b/owl_desc_da.ogg", "b/owl", "b/rain"]
    for number, name in enumerate(sounds):
        waveform = np.sin(np.arange(3000 + 50 * number, dtype=np.float32) / 7)
        write_audio(stamps / f"{name}.ogg", waveform, 22050)
    package = Package(TUXPAINT.name, ((f"{tuxpaint._STAMPS}/b/owl.txt", 7),))
    write_files(tmp_path / "unpacked", package_notices(package.name))
    monkeypatch.setattr(tuxpaint, "TUXPAINT", package)
    return tmp_path / "unpacked"


def test_texts_are_read_by_stamp_and_language(source: Path) -> None:
    texts = read_texts(source / tuxpaint._STAMPS)
    assert texts["a/cow"] == {
        "en": "A cow.", "fr": "Une vache, 2 cornes.", "el": "Αγελάδα 2", "sr@latin": "Krava",
    }  # fmt: skip
    assert texts["a/dog"]["fr"] == "Un chien."
    (source / tuxpaint._STAMPS / "a/cow.txt").write_bytes(b"\xff")
    with pytest.raises(CorpusError, match=r"cow\.txt"):
        read_texts(source / tuxpaint._STAMPS)


def test_what_is_said_is_told_from_noise(source: Path) -> None:
    stamps = source / tuxpaint._STAMPS
    spoken = find_spoken(stamps)
    assert {language: len(found) for language, found in spoken.items()} == {"fr": 5, "el": 2, "en": 1}
    assert ("a/cow", "a/cow_desc.ogg") in spoken["en"]
    assert find_noises(stamps) == ["a/cow.ogg", "b/owl.ogg", "b/rain.ogg"]


def test_descriptions_with_a_text_become_clips(source: Path) -> None:
    french = read_descriptions("fr", source / tuxpaint._STAMPS)
    assert [one.stamp for one in french] == ["a/cow", "a/dog", "a/pig"]
    clip = tuxpaint.to_clip("fr", french[0])
    assert (clip.clip_id, clip.text) == ("tuxpaint-fr-a-cow", "une vache deux cornes")
    assert clip.custom == {
        "raw_text": "Une vache, 2 cornes.", "translations": {"en": "A cow."}, "path": "a/cow_desc_fr.ogg",
    }  # fmt: skip
    assert tuxpaint.to_clip("en", french[0]).custom["translations"] == {}


def test_texts_with_digits_are_left_out_where_nothing_spells_them(source: Path) -> None:
    greek = read_descriptions("el", source / tuxpaint._STAMPS)
    assert len(greek) == 2
    kept = [clip.text for clips in split_descriptions("el", greek).values() for clip in clips]
    assert kept == ["σκύλος"]


def test_a_tiny_corpus_and_its_noise_become_cuts(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = {"a/cow": "train", "a/dog": "dev", "a/pig": "test", "b/owl.ogg": "dev", "b/rain.ogg": "test"}
    for module in (splits, tuxpaint):
        monkeypatch.setattr(module, "assign_by_checksum", lambda key, parts=10: chosen.get(key, "train"))
    rows = {corpus.name: corpus for corpus in CORPORA}
    # Stamps that say the same stand in different splits here, so dev loses its text.
    with pytest.raises(Exception, match="without cuts"):
        rows["tuxpaint-fr"].prepare(tmp_path / "corpora", source, False)
    prepared = rows["tuxpaint-noise"].prepare(tmp_path / "corpora", source, False)
    cut = read_cuts(prepared.folder / "dev.jsonl.gz")[0]
    assert (cut.id, cut.supervisions, cut.sampling_rate) == ("tuxpaint-noise-b-owl", [], 22050)
    assert len(cut.load_audio()[0]) == cut.num_samples
    assert prepared.description["languages"] == []


@pytest.fixture(scope="module")
def stamps(real_packages: Callable[..., list[Path]]) -> Path:
    return real_packages(TUXPAINT)[0] / tuxpaint._STAMPS


def test_the_real_package_has_the_known_counts(stamps: Path, facts: Callable[[str], Any]) -> None:
    known = facts("acceptance")["tuxpaint"]
    assert len(list(stamps.rglob("*.txt"))) == known["txt_files"]
    assert len(list(stamps.rglob("*.ogg"))) == known["ogg_files"]
    spoken = find_spoken(stamps)
    assert sum(map(len, spoken.values())) == known["description_clips"]
    assert {language: len(spoken[language]) for language in KNOWN} == {code: row[0] for code, row in KNOWN.items()}
    assert (len(spoken), len(spoken["lt"]), len(spoken["ml"])) == (13, 88, 6)


def test_real_noises_have_the_known_counts(stamps: Path, facts: Callable[[str], Any]) -> None:
    known = facts("acceptance")["tuxpaint"]
    parts = split_noises(stamps)
    minutes = [round(sum(clip.duration for clip in clips) / 60, 2) for clips in parts.values()]
    assert [len(clips) for clips in parts.values()] == [89, 8, 6]
    assert minutes == [3.44, 0.36, 0.2]
    assert sum(map(len, parts.values())) == known["noise_files"]
    assert round(sum(clip.duration for clips in parts.values() for clip in clips) / 60, 2) == known["noise_minutes"]


@pytest.fixture(scope="module")
def real_texts(stamps: Path) -> dict[str, dict[str, str]]:
    return read_texts(stamps)


# All of them take long; the fast ones are those with and without a speller of numbers, and the small ones.
FAST = ("el", "da", "nl", "en")


@pytest.mark.parametrize(
    "language", [pytest.param(code, marks=[] if code in FAST else pytest.mark.slow) for code in LANGUAGES]
)
def test_real_descriptions_have_the_known_counts(
    language: str, stamps: Path, real_texts: dict[str, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuxpaint, "read_texts", lambda stamps: real_texts)
    _, with_text, minutes, texts, words, assigned = KNOWN[language]
    found = read_descriptions(language, stamps)
    assert len(found) == with_text
    assert round(sum(one.num_samples / one.sampling_rate for one in found) / 60, 2) == minutes
    assert len({one.text for one in found}) == texts
    assert sum(len(one.text.split()) for one in found) == words
    by_split = [assign_by_checksum(one.stamp) for one in found]
    assert [by_split.count(split) for split in ("train", "dev", "test")] == assigned
    parts = split_descriptions(language, found)
    clips = [clip for part in parts.values() for clip in part]
    assert round(sum(clip.duration for clip in clips) / 60, 1) == LANGUAGES[language][1]
    assert all(clip.text and not any(map(str.isdigit, clip.text)) for clip in clips)
    held_out = {clip.text for split in ("dev", "test") for clip in parts[split]}
    assert not held_out & {clip.text for clip in parts["train"]}


def test_real_recordings_decode_to_what_their_headers_say(stamps: Path) -> None:
    for language, spoken in find_spoken(stamps).items():
        stamp, name = spoken[len(spoken) // 2]
        info = probe_audio(stamps / name)
        one = Description(stamp, name, info.sampling_rate, info.num_samples, "x", "x")
        assert len(decode(stamps, tuxpaint.to_clip(language, one))) == info.num_samples


@pytest.mark.slow
def test_every_real_recording_decodes(stamps: Path) -> None:
    for spoken in find_spoken(stamps).values():
        for stamp, name in spoken:
            info = probe_audio(stamps / name)
            one = Description(stamp, name, info.sampling_rate, info.num_samples, "x", "x")
            assert len(decode(stamps, tuxpaint.to_clip("en", one))) == info.num_samples
