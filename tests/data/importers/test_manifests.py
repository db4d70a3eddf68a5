import gzip
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import importing
import tiny
from sprachbund.data.importers.manifests import Report, import_speech
from sprachbund.data.importers.utterances import Encoded, FrameLabels, Item, Note, Request, Utterance
from sprachbund.data.storage.manifest import read_cuts
from sprachbund.data.storage.waveforms import read_waveform
from sprachbund.data.units import load_units
from sprachbund.errors import DataError
from sprachbund.signal.audio import read_audio


def utterance(audio: Path | Encoded, **fields: Any) -> Utterance:
    return Utterance(**{"id": "a", "audio": audio, "where": "list, line 1", "text": "hello there", **fields})


def build(out: Path, items: Iterable[Item], **request: Any) -> Report:
    [report] = import_speech(Request(source="source", out=out, **request), {"all": lambda: items})
    return report


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    return importing.write_wav(tmp_path / "audio" / "a.wav")


def test_an_utterance_becomes_a_cut(tmp_path: Path, wav: Path) -> None:
    told = {"speaker": "anna", "gender": "f", "custom": {"raw_text": "Hello, there!"}}
    report = build(tmp_path / "out", [utterance(wav, **told)], language="en")
    assert report.counts == "1 clips, 0.01 minutes, 2 words"
    [cut] = read_cuts(report.path)
    said = cut.supervisions[0]
    assert (cut.id, cut.start, cut.duration, cut.num_samples, cut.sampling_rate) == ("a", 0, 0.5, 8000, 16000)
    assert (said.text, said.speaker, said.gender, said.language) == ("hello there", "anna", "f", "en")
    assert cut.custom == {"raw_text": "Hello, there!"}
    assert Path(cut.recording.sources[0].source).samefile(wav)
    assert np.array_equal(read_waveform(cut), read_audio(wav))
    assert build(tmp_path / "out", [utterance(wav, language="de")], language="en").path == report.path
    assert next(iter(read_cuts(report.path))).supervisions[0].language == "de"


def test_parts_of_one_recording(tmp_path: Path, wav: Path) -> None:
    parts = [
        utterance(wav, id="a-1", recording_id="a", start=0.1, duration=0.2),
        utterance(wav, id="a-2", recording_id="a", start=0.25),
        # To the very end, and a little more, as rounding writes it.
        utterance(wav, id="a-3", recording_id="a", start=0.4, duration=0.12),
    ]
    cuts = {cut.id: cut for cut in read_cuts(build(tmp_path / "out", parts).path)}
    whole = read_audio(wav)
    assert np.array_equal(read_waveform(cuts["a-1"]), whole[1600:4800])
    assert np.array_equal(read_waveform(cuts["a-2"]), whole[4000:])
    assert cuts["a-3"].end == 0.5
    assert {cut.recording.id for cut in cuts.values()} == {"a"}


def test_a_rounded_length_of_a_whole_recording_is_that_of_the_recording(tmp_path: Path, wav: Path) -> None:
    for rounded in (0.49, 0.5001, 0.52):
        [cut] = read_cuts(build(tmp_path / "out", [utterance(wav, duration=rounded)]).path)
        assert cut.duration == 0.5


def test_what_cannot_be_used_is_counted_with_examples(tmp_path: Path, wav: Path) -> None:
    (tmp_path / "noise.wav").write_bytes(b"no audio at all")
    missing = [utterance(tmp_path / f"{name}.wav", id=name) for name in ("p", "q", "r", "s")]
    bad = [
        *missing,
        utterance(tmp_path / "noise.wav", id="b"),
        utterance(wav, id="c", text=" \t"),
        utterance(wav, id="d", num_samples=7999),
        utterance(wav, id="e", recording_id="e", start=0.3, duration=0.3),
        utterance(wav, id="f", recording_id="f", start=0.6),
        utterance(wav, id="g", recording_id="g", start=0.1, duration=0.00001),
        Note("without a text", "h"),
        Note("without alignment", "a", is_kept=True),
    ]
    report = build(tmp_path / "out", [utterance(wav), *bad])
    told = "\n".join(report.notes)
    assert report.counts.startswith("1 clips")
    assert f"left out: 4 without a recording ({', '.join(str(item.audio) for item in missing[:3])})" in told
    assert "left out: 1 whose recording cannot be read (b: Not a recording)" in told
    assert "left out: 2 without a text (c, h)" in told
    assert "another length than listed (d: 8000 samples, listed are 7999)" in told
    assert "2 that end after their recording (e: 0.300 to 0.600 s of 0.500 s, f: 0.600 to" in told
    assert "1 of no length (g)" in told
    assert report.notes[-1] == "kept: 1 without alignment (a)"
    with pytest.raises(DataError, match=r"nothing is left to import in source, all .*4 without a recording"):
        build(tmp_path / "none", bad)
    assert not (tmp_path / "none").exists()


def test_ids_are_given_once(tmp_path: Path, wav: Path) -> None:
    with pytest.raises(DataError, match="two utterances share an id in list, line 1"):
        build(tmp_path / "out", [utterance(wav), utterance(wav)])
    with pytest.raises(DataError, match="no id in list, line 1"):
        build(tmp_path / "out", [utterance(wav, id=" ")])
    assert not (tmp_path / "out").exists()


def test_halves_of_characters_are_refused(tmp_path: Path, wav: Path) -> None:
    for field in ("id", "text", "speaker"):
        with pytest.raises(DataError, match="half a character in list, line 1"):
            build(tmp_path / "out", [utterance(wav, **{field: "a\ud83d"})])


def test_copies_lie_below_the_manifest(tmp_path: Path, wav: Path) -> None:
    parts = [utterance(wav, id=f"x/{n}", recording_id="x/../y z", start=n / 10) for n in range(3)]
    report = build(tmp_path / "out", parts, is_copied=True)
    copy = tmp_path / "out" / "recordings" / "all" / "x%2F..%2Fy z.wav"
    assert copy.read_bytes() == wav.read_bytes()
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == [report.path, copy]
    wav.unlink()
    (tmp_path / "out").rename(tmp_path / "moved")
    for cut in read_cuts(tmp_path / "moved" / "all.jsonl.gz"):
        assert len(read_waveform(cut)) == round(cut.duration * 16000)


def test_recordings_in_memory_are_written(tmp_path: Path, wav: Path) -> None:
    report = build(tmp_path / "out", [utterance(Encoded(wav.read_bytes(), ".audio"))])
    [cut] = read_cuts(report.path)
    assert np.array_equal(read_waveform(cut), read_audio(wav))
    assert Path(cut.recording.sources[0].source).name == "a.audio"
    with pytest.raises(DataError, match="cannot be read"):
        build(tmp_path / "none", [utterance(Encoded(b"nothing", ".wav"))])


def test_labels_are_stored_with_their_fingerprint(tmp_path: Path, wav: Path) -> None:
    labels = np.arange(24) % 5
    item = utterance(wav, labels=(FrameLabels("units", labels, 0.02, "km:abc"),), text=None)
    [cut] = read_cuts(build(tmp_path / "out", [item]).path)
    assert cut.supervisions == []
    assert np.array_equal(load_units(cut, "km:abc"), labels)
    assert load_units(cut, "km:abc").dtype == np.int16
    assert np.array_equal(load_units(cut.truncate(offset=0.1, duration=0.2), "km:abc"), labels[5:15])
    part = utterance(wav, id="b", start=0.1, duration=0.3, labels=(FrameLabels("units", labels[:15], 0.02, "km:abc"),))
    [cut] = read_cuts(build(tmp_path / "part", [part]).path)
    assert np.array_equal(load_units(cut, "km:abc"), labels[:15])
    wide = utterance(wav, labels=(FrameLabels("units", labels + 40_000, 0.02, "km:abc"),))
    [cut] = read_cuts(build(tmp_path / "wide", [wide]).path)
    assert np.array_equal(load_units(cut, "km:abc"), labels + 40_000)


def test_labels_of_speech_at_another_rate_are_left_out(tmp_path: Path) -> None:
    slow = importing.write_wav(tmp_path / "slow.wav", rate=8000)
    item = utterance(slow, labels=(FrameLabels("units", np.zeros(9, dtype=np.int64), 0.02, "km:abc"),))
    with pytest.raises(DataError, match="not at 8000 Hz"):
        build(tmp_path / "out", [item])


def test_cuts_are_taken_as_they_are(tmp_path: Path) -> None:
    cuts = list(tiny.make_cuts(tmp_path / "tiny", 3))
    report = build(tmp_path / "out", cuts, language="en")
    again = list(read_cuts(report.path))
    assert [cut.id for cut in again] == [cut.id for cut in cuts]
    assert {cut.supervisions[0].language for cut in again} == {"en"}
    cuts[0].recording.sources[0].type = "command"
    cuts[1].supervisions[0].text = "  "
    mixed = cuts[2].mix(cuts[1])
    report = build(tmp_path / "out", [*cuts, mixed])
    assert [note.partition(" (")[0] for note in report.notes] == [
        "left out: 1 that are mixed, padded or without one recording of their own",
        "left out: 1 whose recording is of the type command, which is not followed",
        "left out: 1 without a text",
    ]


def test_the_same_source_gives_the_same_bytes(tmp_path: Path, wav: Path) -> None:
    first = build(tmp_path / "out", [utterance(wav)]).path.read_bytes()
    assert build(tmp_path / "out", [utterance(wav)]).path.read_bytes() == first
    assert gzip.decompress(first).count(b"\n") == 1
