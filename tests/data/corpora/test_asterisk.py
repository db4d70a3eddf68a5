import gzip
from collections.abc import Callable, Iterable
from functools import cache as cache_function
from pathlib import Path
from typing import Any

import pytest

from sprachbund.data.corpora import asterisk, speech, splits
from sprachbund.data.corpora.asterisk import (
    CORPORA,
    LANGUAGES,
    Prompt,
    clean_text,
    parse_texts,
    read_prompts,
    split_prompts,
)
from sprachbund.data.corpora.package_cache import Package
from sprachbund.data.corpora.packages import ASTERISK_SOUNDS, ASTERISK_TEXTS
from sprachbund.data.corpora.splits import assign_by_checksum
from sprachbund.data.storage.manifest import read_cuts
from sprachbund.errors import CorpusError
from sprachbund.signal.audio import read_audio

TEXTS = "\ufeff; comment: none\n\nadded: Added.\ndigits/2: Press 2 for: help (no tone)\nbeep: [tone]\nlone: text only\n"
KEYS = ("added", "digits/2", "beep", "unlisted")


@pytest.fixture
def source(
    tmp_path: Path,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    package_notices: Callable[[str], dict[str, bytes]],
    write_files: Callable[..., None],
) -> Path:
    """Both packages, unpacked; the recordings are any bytes, as every byte is two samples of G.722."""
    row = LANGUAGES["en"]
    files = {f"usr/share/asterisk/sounds/{row.locale}/{key}.g722": bytes(range(256)) * 3 for key in KEYS}
    files[f"usr/share/doc/{row.texts.name}/core-sounds-en.txt.gz"] = gzip.compress(TEXTS.encode())
    write_files(tmp_path / "unpacked", files | package_notices(row.texts.name) | package_notices(row.recordings.name))
    texts = Package(
        ASTERISK_TEXTS["en"].name,
        (
            (
                f"usr/share/doc/{row.texts.name}/core-sounds-en.txt.gz",
                len(files[f"usr/share/doc/{row.texts.name}/core-sounds-en.txt.gz"]),
            ),
        ),
    )
    recordings = Package(ASTERISK_SOUNDS["en"].name, ((f"usr/share/asterisk/sounds/{row.locale}/added.g722", 768),))
    changed = asterisk.PromptLanguage(**{**vars(row), "texts": texts, "recordings": recordings})
    monkeypatch.setitem(LANGUAGES, "en", changed)
    return tmp_path / "unpacked"


def test_the_list_of_prompts_is_parsed() -> None:
    assert parse_texts(TEXTS + "added: Again.") == {
        "added": "Again.",
        "digits/2": "Press 2 for: help (no tone)",
        "beep": "[tone]",
        "lone": "text only",
    }


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("at [@]", "at"),
        ('IAX (note: does not say "2")', "IAX"),
        ("[tone] words", ""),
        ("(a) b (c)", "b"),
        ("(10 seconds of silence)", ""),
        ("...", ""),
        ("", ""),
        ("12", ""),
        ("Call-Forward on Busy.", "Call-Forward on Busy."),
    ],
)
def test_remarks_are_no_speech(typed: str, said: str) -> None:
    assert clean_text(typed) == said


def test_prompts_become_cuts_in_splits_and_all(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = {"added": "train", "digits/2": "dev"}
    monkeypatch.setattr(splits, "assign_by_checksum", lambda key, parts: chosen[key])
    monkeypatch.setattr(speech, "finish_speech", _without_empty(speech.finish_speech))
    prepare = CORPORA[0].prepare
    prepared = prepare(tmp_path / "corpora", source, False)
    cut = read_cuts(prepared.folder / "dev.jsonl.gz")[0]
    assert cut.id == "asterisk-digits-2"
    assert cut.supervisions[0].text == "press two for help"
    assert cut.supervisions[0].speaker == "allison"
    assert cut.custom == {"key": "digits/2", "raw_text": "Press 2 for: help (no tone)"}
    assert len(read_cuts(prepared.folder / "all.jsonl.gz")) == 2
    assert cut.num_samples == 2 * 768
    folder = source / "usr/share/asterisk/sounds/en_US_f_Allison"
    assert (cut.load_audio()[0] == read_audio(folder / "digits/2.g722")).all()
    assert prepare(tmp_path / "corpora", None, False).was_complete


def _without_empty(finish: Callable[..., Any]) -> Callable[..., Any]:
    """A tiny corpus has no test set, and empty manifests are not written."""
    return lambda folder, origin, splits, notes: finish(folder, origin, {k: v for k, v in splits.items() if v}, notes)


def test_a_damaged_list_is_refused(source: Path, tmp_path: Path) -> None:
    row = LANGUAGES["en"]
    path = row.text_path(source)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(CorpusError, match="list of prompts"):
        read_prompts(row, source, source)


# Of the facts: prompts of three words and more; clips of train, dev, test before equal texts are dropped.
LONG_PROMPTS = {"en": 272, "es": 232, "fr": 272, "it": 300, "ru": 260}
ASSIGNED = {
    "en": [446, 49, 58], "es": [391, 38, 48], "fr": [415, 42, 52], "it": [469, 51, 60], "ru": [451, 47, 58],
}  # fmt: skip
# English prompts with a translation, their minutes, those of the translation; and with three words or more.
TRANSLATED = {
    "es": (451, 21.26, 28.36, 231, 17.86),
    "fr": (508, 22.85, 23.89, 263, 19.00),
    "it": (544, 23.66, 22.06, 268, 19.31),
    "ru": (547, 24.12, 23.40, 269, 19.72),
}


@pytest.fixture(scope="module")
def real_prompts(real_packages: Callable[..., list[Path]]) -> Callable[[str], list[Prompt]]:
    return cache_function(
        lambda language: read_prompts(
            LANGUAGES[language], *real_packages(ASTERISK_TEXTS[language], ASTERISK_SOUNDS[language])
        )
    )


def minutes(prompts: Iterable[Prompt]) -> float:
    return round(sum(prompt.num_samples for prompt in prompts) / 16000 / 60, 2)


@pytest.mark.parametrize("language", list(LANGUAGES))
def test_real_prompts_have_the_known_counts(
    language: str,
    real_prompts: Callable[[str], list[Prompt]],
    real_packages: Callable[..., list[Path]],
    facts: Callable[[str], Any],
) -> None:
    row, known = LANGUAGES[language], facts("acceptance")["asterisk"][language]
    files = list(row.recordings_folder(real_packages(row.recordings)[0]).rglob("*.g722"))
    assert len(files) == known["files"]
    assert round(sum(path.stat().st_size for path in files) / 8000 / 60, 2) == known["minutes"]
    prompts = real_prompts(language)
    assert len(prompts) == known["usable"]
    assert minutes(prompts) == known["usable_minutes"] == row.minutes
    assert sum(len(prompt.typed.split()) for prompt in prompts) == known["words"]  # remarks included
    assert sum(len(prompt.typed.split()) >= 3 for prompt in prompts) == LONG_PROMPTS[language]


@pytest.mark.parametrize("language", list(LANGUAGES))
def test_real_splits_have_the_known_counts(language: str, real_prompts: Callable[[str], list[Prompt]]) -> None:
    prompts = real_prompts(language)
    assigned = [assign_by_checksum(prompt.key) for prompt in prompts]
    assert [assigned.count(split) for split in ("train", "dev", "test")] == ASSIGNED[language]
    parts = split_prompts(LANGUAGES[language], prompts)
    if language == "en":
        assert {split: len(clips) for split, clips in parts.items()} == {
            "train": 432, "dev": 48, "test": 58, "all": 553,
        }  # fmt: skip
    held_out = {clip.text for split in ("dev", "test") for clip in parts[split]}
    assert not held_out & {clip.text for clip in parts["train"]}
    assert not any(character.isdigit() for clip in parts["all"] for character in clip.text)
    assert all(clip.text for clip in parts["all"])
    assert {clip.language for clip in parts["all"]} == {language}


def test_real_prompts_of_equal_keys_translate_each_other(real_prompts: Callable[[str], list[Prompt]]) -> None:
    english = {prompt.key: prompt for prompt in real_prompts("en")}
    common = set(english)
    for language, known in TRANSLATED.items():
        others = {prompt.key: prompt for prompt in real_prompts(language)}
        common &= set(others)
        keys = english.keys() & others.keys()
        long = [key for key in keys if len(english[key].typed.split()) >= 3]
        assert known == (
            len(keys),
            minutes(english[key] for key in keys),
            minutes(others[key] for key in keys),
            len(long),
            minutes(english[key] for key in long),
        )
    assert len(common) == 441


def test_the_same_woman_reads_english_and_spanish() -> None:
    assert LANGUAGES["en"].speaker == LANGUAGES["es"].speaker
    assert len({row.speaker for row in LANGUAGES.values()}) == 4


@pytest.mark.parametrize("language", ["es", "ru"])
def test_a_real_recording_decodes_to_two_samples_a_byte(
    language: str, real_prompts: Callable[[str], list[Prompt]]
) -> None:
    prompt = min(real_prompts(language), key=lambda prompt: prompt.num_samples)
    clip = asterisk.to_clip(LANGUAGES[language], prompt)
    waveform = asterisk.decode(prompt.path.parents[prompt.key.count("/")], clip)
    assert len(waveform) == 2 * prompt.path.stat().st_size
    assert abs(waveform).max() > 0.01
