import json
import math
from pathlib import Path
from typing import get_args

import pytest

from sprachbund.decoding.recognition.transcript import Alternative, Transcript
from sprachbund.decoding.times.long_form import LongPart, LongTranscript
from sprachbund.decoding.times.timestamps import WordTime
from sprachbund.errors import RecipeError
from sprachbund.serving.subtitles import format_srt, format_tsv, format_vtt
from sprachbund.serving.transcripts import (
    FileTranscript,
    Format,
    format_transcript,
    name_outputs,
    needs_times,
    require_format,
)

WORDS = (WordTime("grüß", 0.1, 0.30000000000000004, 0.9), WordTime("gott", 0.4, 0.75, 0.5))
WHOLE = Transcript("grüß gott", -1.5, 0.5, 40, WORDS, 0.7, (Alternative("grüß gott", -1.5, {"ctc": -2.0}),))
FILE = Path("clips/clip.wav")


def test_programs_are_told_all():
    content = format_transcript(FileTranscript.of_whole(FILE, WHOLE), "json")
    assert content.count("\n") == 1
    assert json.loads(content) == {
        "file": "clips/clip.wav",
        "text": "grüß gott",
        "score": -1.5,
        "blank_rate": 0.5,
        "confidence": 0.7,
        "alternatives": [{"text": "grüß gott", "score": -1.5, "parts": {"ctc": -2.0}}],
        "words": [
            {"word": "grüß", "start": 0.1, "end": 0.3, "confidence": 0.9},
            {"word": "gott", "start": 0.4, "end": 0.75, "confidence": 0.5},
        ],
    }


def test_what_was_not_asked_for_is_not_told():
    content = format_transcript(FileTranscript.of_whole(FILE, Transcript("a", -1.0, 0.5, 40)), "json")
    assert set(json.loads(content)) == {"file", "text", "score", "blank_rate"}


def test_a_score_of_minus_infinity_is_no_number_of_json():
    alternatives = (Alternative("", -math.inf, {"ctc": -math.inf}),)
    transcript = Transcript("", -math.inf, 0.5, 40, alternatives=alternatives)
    told = json.loads(format_transcript(FileTranscript.of_whole(FILE, transcript), "json"), parse_constant=pytest.fail)
    assert told["score"] is None
    assert told["alternatives"] == [{"text": "", "score": None, "parts": {"ctc": None}}]


def test_a_long_recording_tells_its_chunks():
    parts = (LongPart(0.0, 0.35, WORDS[:1]), LongPart(0.35, 2.0, WORDS[1:]))
    transcript = FileTranscript.of_chunks(FILE, LongTranscript(parts))
    assert transcript.text == "grüß gott"
    facts = json.loads(format_transcript(transcript, "json"))
    assert facts["chunks"] == [
        {"start": 0.0, "end": 0.35, "text": "grüß"},
        {"start": 0.35, "end": 2.0, "text": "gott"},
    ]
    assert [word["word"] for word in facts["words"]] == ["grüß", "gott"]


def test_people_get_text_and_subtitles():
    transcript = FileTranscript.of_whole(FILE, WHOLE)
    assert format_transcript(transcript, "text") == "grüß gott\n"
    assert format_transcript(transcript, "srt") == format_srt(WORDS)
    assert format_transcript(transcript, "vtt") == format_vtt(WORDS)
    assert format_transcript(transcript, "tsv") == format_tsv(WORDS)
    assert [form for form in get_args(Format) if needs_times(form)] == ["srt", "vtt", "tsv"]


def test_files_keep_their_names():
    files = [Path("a/one.wav"), Path("b/two.part.flac"), Path("three")]
    for form, suffix in (("text", "txt"), ("json", "json"), ("srt", "srt"), ("vtt", "vtt"), ("tsv", "tsv")):
        names = name_outputs(files, Path("out"), require_format(form))
        assert names == [Path(f"out/{stem}.{suffix}") for stem in ("one", "two.part", "three")]
    assert len(name_outputs([files[0], files[0]], Path("out"), "srt")) == 2


def test_two_recordings_of_one_name_are_refused():
    with pytest.raises(RecipeError, match=r"one transcript in out/one.srt \(given: a/one.wav and b/one.flac\)"):
        name_outputs([Path("a/one.wav"), Path("b/one.flac")], Path("out"), "srt")


def test_an_unknown_format_is_refused():
    with pytest.raises(RecipeError, match=r"no such format.*docx.*text, json, srt, vtt, tsv"):
        require_format("docx")
