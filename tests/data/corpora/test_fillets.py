import re
from collections import Counter
from collections.abc import Callable
from functools import cache as cache_function
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sprachbund.data.corpora import fillets, splits
from sprachbund.data.corpora.fillets import (
    CORPORA,
    LANGUAGES,
    SAMPLELESS,
    FilletsLine,
    decode,
    parse_script,
    read_dialogues,
    read_lines,
    split_lines,
    to_clip,
)
from sprachbund.data.corpora.package_cache import Package
from sprachbund.data.corpora.packages import FILLETS_SOUNDS, FILLETS_TEXTS
from sprachbund.data.corpora.splits import assign_by_checksum, normalize_line
from sprachbund.data.storage.manifest import read_cuts
from sprachbund.errors import CorpusError
from sprachbund.signal.audio import probe_audio, write_audio

SCRIPT = r"""
dialogId("a-1", "font_small",
   "Say \"it\" 2 times.")
dialogStr("Řekni \"to\"
 2 krát.")
for i = 1, 3 do dialogId("a-"..i, font, texts[i]) end
dialogStr("of no dialogue")
dialogId("a-2", "font_crab", "Alone")
dialogId ( "a-3" , "font_big" , "Back\\slash" )
dialogStr ( "Jen 5 %" )
"""
LINES = [
    ("a-1", "font_small", 'Say "it" 2 times.', 'Řekni "to"\n 2 krát.'),
    ("a-2", "font_crab", "Alone", None),
    ("a-3", "font_big", "Back\\slash", "Jen 5 %"),
]


def test_scripts_are_parsed() -> None:
    assert parse_script(SCRIPT) == LINES


@pytest.fixture
def source(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    cache: Path,
    package_notices: Callable[[str], dict[str, bytes]],
    write_files: Callable[..., None],
) -> Path:
    """Both packages of a tiny Czech game, unpacked."""
    scripts, sounds = fillets._SCRIPTS, fillets._SOUNDS
    files = {
        f"{scripts}/aztec/dialogs_cs.lua": SCRIPT.encode(),
        f"{scripts}/aztec/dialogs_en.lua": b'dialogId("a-1", "font_small", "Say it twice.")',
        f"{scripts}/aztec/dialogs_de_CH.lua": b'dialogId("a-1", "f", "x") dialogStr("Sag es")',
        f"{scripts}/aztec/brief_dialogs_cs.lua": 'dialogId("b", "font_big", "B") dialogStr("Druhý")'.encode(),
        f"{scripts}/share/bore_dialogs_cs.lua": 'dialogId("s", "font_big", "S") dialogStr("Sdílené")'.encode(),
    }
    packages = [Package(FILLETS_TEXTS.name, tuple((name, len(content)) for name, content in files.items()))]
    write_files(tmp_path / "unpacked", files)
    for name in ("aztec/cs/a-1", "aztec/cs/a-3", "aztec/cs/none", "barrel/cs/b", "aztec/cs/b", "share/borejokes/cs/s"):
        waveform = np.sin(np.arange(4000 + 100 * len(name), dtype=np.float32) / 9)
        write_audio(tmp_path / "unpacked" / sounds / f"{name}.ogg", waveform, 22050)
    some = f"{sounds}/aztec/cs/a-1.ogg"
    size = (tmp_path / "unpacked" / some).stat().st_size
    packages.append(Package(FILLETS_SOUNDS["cs"].name, ((some, size),)))
    for package in packages:
        write_files(tmp_path / "unpacked", package_notices(package.name))
    monkeypatch.setattr(fillets, "FILLETS_TEXTS", packages[0])
    monkeypatch.setitem(FILLETS_SOUNDS, "cs", packages[1])
    return tmp_path / "unpacked"


def test_recordings_find_their_dialogue_in_level_or_set(source: Path) -> None:
    lines = read_lines("cs", source / fillets._SCRIPTS, source / fillets._SOUNDS)
    assert [line.place for line in lines] == [("aztec", "a-1"), ("aztec", "b"), ("share/borejokes", "s")]
    clip = to_clip("cs", lines[0])
    assert clip.clip_id == "fillets-cs-aztec-a-1"
    assert clip.text == "řekni to dva krát"
    assert clip.speaker == "fillets-cs-small"
    assert clip.custom["translations"] == {"de_CH": "Sag es", "en": "Say it twice."}
    assert clip.custom["raw_text"] == 'Řekni "to" 2 krát.'
    assert clip.num_samples == probe_audio(source / fillets._SOUNDS / "aztec/cs/a-1.ogg").num_samples


def test_scripts_that_are_no_text_are_told(source: Path) -> None:
    (source / fillets._SCRIPTS / "aztec/dialogs_cs.lua").write_bytes(b"\xff\xfe")
    with pytest.raises(CorpusError, match=r"script cannot be read.*dialogs_cs\.lua"):
        read_dialogues(source / fillets._SCRIPTS)


def test_a_tiny_game_becomes_cuts(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = iter(["train", "dev", "test"])
    monkeypatch.setattr(splits, "assign_by_checksum", lambda key, parts: next(chosen))
    prepared = CORPORA[0].prepare(tmp_path / "corpora", source, False)
    cut = read_cuts(prepared.folder / "test.jsonl.gz")[0]
    assert cut.supervisions[0].text == "sdílené"
    assert (cut.sampling_rate, cut.custom["level"]) == (22050, "share/borejokes")
    assert len(cut.load_audio()[0]) == cut.num_samples
    assert set(prepared.description["packages"]) == {"fillets-ng-data-cs", "fillets-ng-data"}


@pytest.fixture(scope="module")
def real_lines(real_packages: Callable[..., list[Path]]) -> Callable[[str], list[FilletsLine]]:
    def read(language: str) -> list[FilletsLine]:
        texts, sounds = real_packages(FILLETS_TEXTS, FILLETS_SOUNDS[language])
        return read_lines(language, texts / fillets._SCRIPTS, sounds / fillets._SOUNDS)

    return cache_function(read)


def minutes(lines: list[FilletsLine]) -> float:
    return round(sum(line.num_samples / line.sampling_rate for line in lines) / 60, 2)


# Of the facts: clips that have a text of further languages too.
TRANSLATED = {
    "cs": {"ru": 1755, "pl": 1612, "fr": 1597, "es": 1587, "it": 1582},
    "nl": {"ru": 1566, "pl": 1369, "fr": 1346, "es": 1346, "it": 1342},
}


@pytest.mark.parametrize("language", list(LANGUAGES))
def test_real_lines_have_the_known_counts(
    language: str,
    real_lines: Callable[[str], list[FilletsLine]],
    real_packages: Callable[..., list[Path]],
    facts: Callable[[str], Any],
) -> None:
    """The facts count two recordings of no sample as usable."""
    known = facts("acceptance")["fillets"][language]
    texts, sounds = real_packages(FILLETS_TEXTS, FILLETS_SOUNDS[language])
    assert len(list((sounds / fillets._SOUNDS).rglob(f"{language}/*.ogg"))) == known["files"]
    lines = real_lines(language)
    dialogues = read_dialogues(texts / fillets._SCRIPTS)
    empty = [dialogues[level, name].texts[language] for level, of, name in SAMPLELESS if of == language]
    assert len(lines) + len(empty) == known["usable"]
    assert minutes(lines) == known["usable_minutes"]
    said = [line.dialogue.texts[language] for line in lines] + empty
    assert sum(len(re.findall(r"[^\W_]+", text)) for text in said) == known["words"]
    for line in lines:
        assert all(line.dialogue.texts[other].strip() for other in ("en", "de", "sv"))
    found = Counter(other for line in lines for other, text in line.dialogue.texts.items() if text.strip())
    counts = {other: found[other] for other in TRANSLATED[language]}
    assert counts == {other: number - len(empty) for other, number in TRANSLATED[language].items()}


@pytest.mark.parametrize("language", list(LANGUAGES))
def test_real_splits_have_the_known_counts(
    language: str, real_lines: Callable[[str], list[FilletsLine]], facts: Callable[[str], Any]
) -> None:
    known = facts("acceptance")["fillets"][language]["split"]
    parts = split_lines(language, real_lines(language))
    empty = sum(of == language for _, of, _ in SAMPLELESS)
    for split, (count, known_minutes) in known.items():
        assert len(parts[split]) + (empty if split == "train" else 0) == count
        assert round(sum(clip.duration for clip in parts[split]) / 60, 2) == known_minutes
    levels = {split: {clip.custom["level"] for clip in clips} for split, clips in parts.items()}
    assert not levels["train"] & (levels["dev"] | levels["test"])
    held_out = {clip.text for split in ("dev", "test") for clip in parts[split]}
    assert not held_out & {clip.text for clip in parts["train"]}
    assert not any(character.isdigit() for clips in parts.values() for clip in clips for character in clip.text)


def test_levels_stand_in_the_same_split_for_both_languages(real_lines: Callable[[str], list[FilletsLine]]) -> None:
    levels = {line.place[0] for language in LANGUAGES for line in real_lines(language)}
    by_split = {split: {level for level in levels if assign_by_checksum(level) == split} for split in ("test", "dev")}
    assert by_split["test"] == {"aztec", "city", "corals", "imprisoned", "kitchen", "music", "tetris", "viking2"}
    dev = "cave chest duckie electromagnet hanoi party1 puzzle pyramid reactor tank ufo"
    assert " ".join(sorted(by_split["dev"])) == dev


def test_real_recordings_decode_to_what_their_headers_say(
    real_lines: Callable[[str], list[FilletsLine]], real_packages: Callable[..., list[Path]]
) -> None:
    for language in LANGUAGES:
        (sounds,) = real_packages(FILLETS_SOUNDS[language])
        for line in real_lines(language)[::400]:
            waveform = decode(sounds / fillets._SOUNDS, to_clip(language, line))
            assert len(waveform) == line.num_samples
            assert np.abs(waveform).max() > 0.01


def test_the_recordings_of_no_sample_are_those(real_packages: Callable[..., list[Path]]) -> None:
    (sounds,) = real_packages(FILLETS_SOUNDS["nl"])
    for level, language, name in SAMPLELESS:
        path = sounds / fillets._SOUNDS / level / language / f"{name}.ogg"
        assert path.stat().st_size == 3699
        assert normalize_line(name, language)
