from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from sprachbund.data.corpora import amazon_queen
from sprachbund.data.corpora.amazon_queen import (
    CORPUS,
    QueenClip,
    decode,
    read_clips,
    split_characters,
    split_clips,
    to_clip,
)
from sprachbund.data.corpora.layout import Clip
from sprachbund.data.corpora.package_cache import Package
from sprachbund.data.corpora.packages import STEEL_SKY
from sprachbund.data.corpora.queen_container import QueenContainer, count_samples
from sprachbund.data.corpora.queen_dialogues import QueenLine
from sprachbund.data.corpora.splits import assign_by_checksum, normalize_line
from sprachbund.data.corpora.steel_sky import SPLIT_SECTIONS, SkyLine
from sprachbund.data.storage.manifest import read_cuts
from sprachbund.errors import CorpusError

# Clips of every label, of the facts; the labels are characters, not people.
LABELS = {
    "JOE": 1930, "BOB": 217, "SPARKY": 197, "TAM": 157, "JIM": 151, "WITCH": 144, "FAYE": 134, "DEATH": 131,
    "SEC": 124, "CHIEF": 118, "BUD": 113, "LOU": 105, "HENRY": 103, "APE": 102, "ORACLE": 96, "MAN": 91, "KLUNK": 90,
    "ZOMBIE": 89, "NAOMI": 77, "PRIN": 67, "LARIS": 66, "FRANK": 49, "IAN": 46, "CHEF": 36, "LOLA": 36, "AND": 22,
    "SHOWERAM": 19, "WEDGE": 16, "JOHN": 15, "DOG": 6,
}  # fmt: skip


def spoken(group: str, number: int = 0, speaker: str | None = "BOB") -> QueenClip:
    line = QueenLine("p", "text", speaker, group, "DOG", f"{group}.DOG")
    return QueenClip(f"{group}{number}.SB", 4000, f"Some words {number}", line)


def test_short_clips_and_sounds_are_not_usable() -> None:
    line = spoken("BOB").line
    assert QueenClip("a", 801, "Yes <gulp>", line).is_usable
    assert not QueenClip("a", 800, "Yes", line).is_usable
    assert not QueenClip("a", 4000, "<sneeze> ^_ (sigh)...", line).is_usable


def test_clips_hold_text_and_character() -> None:
    clip = to_clip(QueenClip("070006P1.SB", 4000, "It's  10 o'clock^_ KING!", spoken("BOB2").line), 22_000)
    assert clip.clip_id == "amazon-queen-070006P1"
    assert clip.text == "it's ten o'clock king"
    assert (clip.recording, clip.speaker) == ("recordings/070006P1.flac", None)
    assert clip.custom["raw_text"] == "It's 10 o'clock^_ KING!"
    assert clip.custom["character"] == "BOB"


def test_the_last_dialogue_of_a_character_is_test_and_the_one_before_it_dev() -> None:
    clips = [spoken(group) for group in ("BOB", "BOB2", "BOB10", "IAN1", "IAN2", "LOLA")]
    clips += [spoken("BOB2", 1, "JOE"), QueenClip("c", 4000, "x", QueenLine("p", "x", None, "C1", "CUT", "C1.CUT"))]
    # The speaker of a line is what its file name says.
    clips = [
        QueenClip(c.name, c.size, c.text, QueenLine("p", "t", name, c.line.group, c.line.source, c.line.file))
        for c in clips
        for name in [c.line.speaker if c.line.speaker != "BOB" else c.line.group.rstrip("0123456789")]
    ]
    splits = {split: [clip.line.group for clip in part] for split, part in split_characters(clips).items()}
    assert splits == {"train": ["BOB", "IAN1"], "dev": ["BOB2"], "test": ["BOB10", "IAN2"]}


@pytest.fixture(scope="module")
def queen(real_queen_path: Path) -> QueenContainer:
    return QueenContainer(real_queen_path)


@pytest.fixture(scope="module")
def real_clips(queen: QueenContainer) -> list[QueenClip]:
    return read_clips(queen)


@pytest.fixture(scope="module")
def real_splits(queen: QueenContainer, real_clips: list[QueenClip]) -> dict[str, list[Clip]]:
    samples = {clip.name: count_samples(queen.read(clip.name), where=clip.name) for clip in real_clips}
    return split_clips(real_clips, samples)


def minutes(clips: list[QueenClip]) -> float:
    return round(sum(clip.seconds for clip in clips) / 60, 2)


def test_real_clips_have_the_known_texts(real_clips: list[QueenClip], facts: Callable[[str], Any]) -> None:
    clips = {clip.name.removesuffix(".SB"): clip for clip in real_clips}
    for sample in facts("amazon_queen_samples"):
        clip = clips[sample["clip"]]
        assert (clip.text.strip(), clip.line.speaker, clip.line.file) == (
            sample["text"], sample["speaker"], sample["source"],
        )  # fmt: skip
        assert clip.seconds == pytest.approx(sample["seconds"], abs=0.001)


def test_real_clips_have_the_known_counts(real_clips: list[QueenClip], facts: Callable[[str], Any]) -> None:
    known = facts("acceptance")["amazon_queen"]
    by_source = {
        source: [clip for clip in real_clips if clip.line.source == source] for source in ("DOG", "CUT", "JAS")
    }
    assert {source: [len(part), minutes(part)] for source, part in by_source.items()} == known["matched_by_source"]
    assert [len(real_clips), minutes(real_clips)] == [known["matched_clips"], known["matched_minutes"]]
    words = [sum(len(clip.text.split()) for clip in part) for part in by_source.values()]
    assert words == [24_026, 11_025, 3_884]
    usable = [clip for clip in real_clips if clip.is_usable]
    # The facts cut 271.655 off, where the sum is a hair above it.
    assert len(usable) == known["usable_clips"]
    assert minutes(usable) == pytest.approx(known["usable_minutes"], abs=0.011)
    assert sum(len(clip.normalized.split()) for clip in usable) == known["usable_words"]
    assert len({clip.normalized for clip in usable}) == known["distinct_lines"]
    assert sum(len(clip.normalized.split()) >= 3 for clip in usable) == 5464
    labels = Counter(clip.line.speaker for clip in real_clips if clip.line.speaker)
    assert labels == LABELS
    assert len(labels) == known["characters"]


def test_real_splits_have_the_known_counts(
    queen: QueenContainer,
    real_clips: list[QueenClip],
    real_splits: dict[str, list[Clip]],
    real_sky_lines: list[SkyLine],
    facts: Callable[[str], Any],
) -> None:
    """With the texts removed that the other game holds out, and the other way round."""
    known = facts("acceptance")
    by_name = {clip.name: clip for clip in real_clips}
    usable = [clip for clip in real_clips if clip.is_usable]
    before = Counter(assign_by_checksum(clip.line.group, 20) for clip in usable)
    assert before == {"train": 6047, "dev": 222, "test": 300}
    sky = {
        split: [line for line in real_sky_lines if line.voice.section in sections and line.is_usable]
        for split, sections in SPLIT_SECTIONS.items()
    }
    held_by_sky = {normalize_line(line.english, "en") for split in ("dev", "test") for line in sky[split]}
    held_by_queen = {clip.text for split in ("dev", "test") for clip in real_splits[split]}
    found = {
        "train": [clip for clip in real_splits["train"] if clip.text not in held_by_sky],
        "dev": real_splits["dev"],
        "test": real_splits["test"],
    }
    for split, clips in found.items():
        of_split = [by_name[clip.custom["resource"]] for clip in clips]
        words = sum(len(clip.normalized.split()) for clip in of_split)
        expected = known["amazon_queen"]["split_after_joint_overlap_removal"][split]
        assert [len(of_split), minutes(of_split), words] == expected
    only_training = [clip for clip in usable if to_clip(clip, 1).text not in held_by_sky]
    assert [len(only_training), minutes(only_training)] == [6510, pytest.approx(270.54, abs=0.011)]
    sky_train = [line for line in sky["train"] if line.normalized not in held_by_sky | held_by_queen]
    assert [
        len(sky_train),
        round(sum(line.voice.num_samples for line in sky_train) / 11025 / 60, 2),
        sum(len(line.normalized.split()) for line in sky_train),
    ] == known["steel_sky_train_after_joint_overlap_removal"]


def test_real_characters_are_split_as_known(
    real_clips: list[QueenClip], real_splits: dict[str, list[Clip]], facts: Callable[[str], Any]
) -> None:
    known = facts("acceptance")["amazon_queen"]["character_id"]
    parts = split_characters(real_clips)
    for split, part in parts.items():
        assert [len(part), round(minutes(part), 1)] == known[split]
        assert [clip.speaker for clip in real_splits[f"characters-{split}"]] == [clip.line.speaker for clip in part]
    labels = {split: Counter(clip.line.speaker for clip in part) for split, part in parts.items()}
    assert len(labels["train"]) == known["labels"]
    assert set(labels["train"]) == set(labels["test"]) >= set(labels["dev"])
    assert labels["train"]["IAN"] == 12
    files = {split: {clip.line.file for clip in part} for split, part in parts.items()}
    assert not files["train"] & files["test"] and not files["train"] & files["dev"]


def test_durations_of_decoded_clips_are_those_of_the_bit_rate(
    real_clips: list[QueenClip], real_splits: dict[str, list[Clip]]
) -> None:
    seconds = {clip.name: clip.seconds for clip in real_clips}
    for clip in real_splits["train"]:
        assert clip.duration == pytest.approx(seconds[clip.custom["resource"]], abs=0.001)


@pytest.fixture
def source(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    cache: Path,
    queen: QueenContainer,
    build_queen: Callable[..., bytes],
    build_dialogue: Callable[..., bytes],
    build_cutaway: Callable[..., bytes],
    package_notices: Callable[[str], dict[str, bytes]],
    write_files: Callable[..., None],
) -> Path:
    """The unpacked package of a tiny game, whose recordings are real ones."""
    sound = queen.read("COMIC011.SB")
    resources = {"QUEEN2.JAS": b"Neat*02\r\n<gulp>"}
    for key, name in enumerate(("ANN1", "ANN2", "ANN3"), start=1):
        texts = [(6, f"Word {name}")]
        resources[f"{name}.DOG"] = build_dialogue(key, [(0, "Hello")], texts, ("Same text", ""))
        resources |= {f"{key:02d}0006P1.SB": sound, f"{key:02d}XXXXP1.SB": sound}
    resources |= {"ABC.CUT": build_cutaway(["Cut away"]), "ABC__011.SB": sound, "JOE00411.SB": sound}
    content = build_queen(dict(sorted(resources.items())))
    package = Package("flight-of-the-amazon-queen", ((amazon_queen._DATA, len(content)),))
    monkeypatch.setattr(amazon_queen, "AMAZON_QUEEN", package)
    monkeypatch.setattr(amazon_queen, "_SPLIT_PARTS", 3)
    write_files(tmp_path / "unpacked", {amazon_queen._DATA: content, **package_notices(package.name)})
    return tmp_path / "unpacked"


def test_a_tiny_game_becomes_cuts(source: Path, tmp_path: Path) -> None:
    prepared = CORPUS.prepare(tmp_path / "corpora", source, False)
    counts = {split: counted["cuts"] for split, counted in prepared.description["splits"].items()}
    assert counts["characters-train"] == counts["characters-dev"] == counts["characters-test"] == 2
    for split in ("train", "dev", "test", "characters-test"):
        for cut in read_cuts(prepared.folder / f"{split}.jsonl.gz"):
            waveform = cut.load_audio()[0]
            assert len(waveform) == cut.num_samples
            clip = Clip("", "", 11025, 0, "", "en", custom={"resource": cut.custom["resource"]})
            assert np.abs(waveform - decode(source / amazon_queen._DATA, clip)).max() <= 2**-15
    assert (prepared.folder / "LICENSE.txt").read_text("utf-8").count("Passfield") == 1
    assert CORPUS.prepare(tmp_path / "corpora", None, False).was_complete


def test_a_damaged_game_leaves_nothing_complete(source: Path, tmp_path: Path) -> None:
    path = source / amazon_queen._DATA
    content = bytearray(path.read_bytes())
    content[-120] ^= 0xFF  # in the header of the last frame, or near it
    for place in range(len(content) - 400, len(content)):
        content[place] ^= 0x55
    path.write_bytes(content)
    with pytest.raises(CorpusError, match="damaged"):
        CORPUS.prepare(tmp_path / "corpora", source, False)
    assert not list((tmp_path / "corpora").rglob("corpus.json"))


@pytest.mark.slow
def test_both_real_games_are_prepared_and_lose_each_others_texts(
    real_packages: Callable[..., list[Path]], queen: QueenContainer, tmp_path: Path, facts: Callable[[str], Any]
) -> None:
    from sprachbund.data.corpora.registry import prepare_corpus

    real_packages(STEEL_SKY)
    known = facts("acceptance")
    assert prepare_corpus("steel-sky", tmp_path).description["splits"]["train"]["cuts"] == 2452
    prepared = prepare_corpus("amazon-queen", tmp_path)
    for split, expected in known["amazon_queen"]["split_after_joint_overlap_removal"].items():
        assert [prepared.description["splits"][split][count] for count in ("cuts", "minutes")] == expected[:2]
    sky = list(read_cuts(tmp_path / "steel-sky/train.jsonl.gz"))
    assert len(sky) == known["steel_sky_train_after_joint_overlap_removal"][0]
    for cut in read_cuts(prepared.folder / "train.jsonl.gz"):
        assert soundfile.info(cut.recording.sources[0].source).frames == cut.num_samples
