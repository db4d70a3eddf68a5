import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sprachbund.data.corpora import asterisk
from sprachbund.data.corpora.asterisk import LANGUAGES, clean_text, parse_texts, prepare, read_prompts, split_prompts
from sprachbund.data.corpora.packages import ASTERISK_EN, ASTERISK_EN_G722
from sprachbund.data.corpora.splits import assign_by_checksum
from sprachbund.data.manifest import read_cuts
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
    texts = asterisk.Package(
        ASTERISK_EN.name,
        (
            (
                f"usr/share/doc/{row.texts.name}/core-sounds-en.txt.gz",
                len(files[f"usr/share/doc/{row.texts.name}/core-sounds-en.txt.gz"]),
            ),
        ),
    )
    recordings = asterisk.Package(ASTERISK_EN_G722.name, ((f"usr/share/asterisk/sounds/{row.locale}/added.g722", 768),))
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
    splits = {"added": "train", "digits/2": "dev"}
    monkeypatch.setattr(asterisk, "assign_by_checksum", splits.get)
    monkeypatch.setattr(asterisk, "finish_speech", _without_empty(asterisk.finish_speech))
    prepared = prepare(tmp_path / "corpora", source)
    cut = read_cuts(prepared.folder / "dev.jsonl.gz")[0]
    assert cut.id == "asterisk-digits-2"
    assert cut.supervisions[0].text == "press two for help"
    assert cut.supervisions[0].speaker == "allison"
    assert cut.custom == {"key": "digits/2", "raw_text": "Press 2 for: help (no tone)"}
    assert len(read_cuts(prepared.folder / "all.jsonl.gz")) == 2
    assert cut.num_samples == 2 * 768
    folder = source / "usr/share/asterisk/sounds/en_US_f_Allison"
    assert (cut.load_audio()[0] == read_audio(folder / "digits/2.g722")).all()
    assert prepare(tmp_path / "corpora").was_complete


def _without_empty(finish: Callable[..., Any]) -> Callable[..., Any]:
    """A tiny corpus has no test set, and empty manifests are not written."""
    return lambda folder, origin, splits, notes: finish(folder, origin, {k: v for k, v in splits.items() if v}, notes)


def test_a_damaged_list_is_refused(source: Path, tmp_path: Path) -> None:
    row = LANGUAGES["en"]
    path = row.text_path(source)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(CorpusError, match="list of prompts"):
        read_prompts(row, source, source)


def test_real_prompts_have_the_known_counts(real_asterisk: list[Path], facts: Callable[[str], Any]) -> None:
    row = LANGUAGES["en"]
    known = facts("acceptance")["asterisk"]["en"]
    files = list(row.recordings_folder(real_asterisk[1]).rglob("*.g722"))
    assert len(files) == known["files"]
    assert round(sum(path.stat().st_size for path in files) / 8000 / 60, 2) == known["minutes"]
    prompts = read_prompts(row, *real_asterisk)
    assert len(prompts) == known["usable"]
    assert round(sum(prompt.num_samples for prompt in prompts) / 16000 / 60, 2) == known["usable_minutes"]
    assert sum(len(prompt.typed.split()) for prompt in prompts) == known["words"]  # remarks included
    assert sum(len(prompt.typed.split()) >= 3 for prompt in prompts) == 272


def test_real_splits_have_the_known_counts(real_asterisk: list[Path]) -> None:
    row = LANGUAGES["en"]
    prompts = read_prompts(row, *real_asterisk)
    assigned = [assign_by_checksum(prompt.key) for prompt in prompts]
    assert [assigned.count(split) for split in ("train", "dev", "test")] == [446, 49, 58]
    splits = split_prompts(row, prompts)
    assert {split: len(clips) for split, clips in splits.items()} == {"train": 432, "dev": 48, "test": 58, "all": 553}
    held_out = {clip.text for split in ("dev", "test") for clip in splits[split]}
    assert not held_out & {clip.text for clip in splits["train"]}
    assert not any(character.isdigit() for clip in splits["all"] for character in clip.text)
    assert all(clip.text for clip in splits["all"])
