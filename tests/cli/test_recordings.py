import math
from pathlib import Path

import pytest

from sprachbund.cli.recordings import LongFormOptions, places_of, tell_results
from sprachbund.errors import AudioError, RecipeError
from sprachbund.serving.transcribing import LONGEST_WHOLE, Failure
from sprachbund.serving.transcripts import FileTranscript

FILES = [Path("a.wav"), Path("b.wav")]


def test_where_long_recordings_are_cut():
    usual, whole, windows = (
        LongFormOptions(**options).choice() for options in ({}, {"whole": True}, {"chunk": 8.0, "vad": "none"})
    )
    assert (usual.longest_whole, usual.chunks.kind) == (LONGEST_WHOLE, "pauses")
    assert whole.longest_whole == math.inf
    assert (windows.longest_whole, windows.chunks.kind) == (0.0, "windows")
    assert (windows.chunks.chunk_seconds, windows.chunks.overlap_seconds) == (8.0, 2.0)
    assert LongFormOptions(vad="webrtc").choice().chunks.detector == "webrtc"
    with pytest.raises(RecipeError, match="whole or in chunks"):
        LongFormOptions(whole=True, chunk=8.0).choice()
    with pytest.raises(RecipeError, match=r"finds pauses.*loud"):
        LongFormOptions(vad="loud").choice()


def test_where_results_go(tmp_path: Path):
    assert places_of(FILES, "text", None) == [None, None]
    assert places_of(FILES, "json", tmp_path) == [tmp_path / "a.json", tmp_path / "b.json"]
    with pytest.raises(RecipeError, match="a file for each recording"):
        places_of(FILES, "srt", None)
    with pytest.raises(RecipeError, match="one transcript"):
        places_of([Path("x/a.wav"), Path("y/a.wav")], "text", tmp_path)


def test_results_are_told_as_they_come(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    heard = FileTranscript(FILES[0], "Ja.", None, {})
    failed = Failure(FILES[1], AudioError("no sound", where=FILES[1]))
    with pytest.raises(AudioError, match=r"1 of 2 recordings could not be translated.*others are translated"):
        tell_results(iter([heard, failed]), [None, None], "text", None, done="translated", made="translations")
    assert capsys.readouterr() == ("a.wav\tJa.\n", "sprachbund: no sound in b.wav.\n")
    tell_results(iter([heard]), [None], "text", None, done="translated", made="translations")
    assert capsys.readouterr() == ("Ja.\n", "")
    place = tmp_path / "new" / "a.txt"
    tell_results(iter([heard]), [place], "text", tmp_path / "new", done="translated", made="translations")
    assert capsys.readouterr() == (f"1 of 1 translations in {tmp_path / 'new'}\n", "")
    assert place.read_text("utf-8") == "Ja.\n"
    with pytest.raises(AudioError, match=r"no sound in b\.wav"):
        tell_results(iter([failed]), [None], "text", None, done="translated", made="translations")
