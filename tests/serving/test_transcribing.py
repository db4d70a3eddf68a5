import math
from pathlib import Path

import numpy as np
import pytest

import recognizers
from sprachbund.decoding.recognition.config import DecodingConfig
from sprachbund.decoding.recognition.recognizer import Recognizer
from sprachbund.decoding.times.chunks import LongFormConfig
from sprachbund.decoding.times.long_form import transcribe_long
from sprachbund.errors import CheckpointError
from sprachbund.serving.transcribing import Failure, LongForm, transcribe_files
from sprachbund.serving.transcripts import FileTranscript
from sprachbund.signal.audio import write_audio

WHOLE = LongForm(chunks=LongFormConfig(), longest_whole=math.inf)
WINDOWS = LongFormConfig(kind="windows", chunk_seconds=1.0, overlap_seconds=0.2)


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return recognizers.outspoken_recognizer()


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Five recordings and, between them, two files that are none."""
    for number, sound in enumerate(recognizers.waveforms((9000, 5000, 24_000, 300, 12_000))):
        write_audio(tmp_path / f"{number}.wav", sound)
    (tmp_path / "text.wav").write_text("no sound")
    (tmp_path / "empty.wav").write_bytes(b"")
    return [tmp_path / f"{name}.wav" for name in ("0", "text", "1", "2", "empty", "3", "4")]


def found_in(recognizer: Recognizer, files: list[Path], long_form: LongForm = WHOLE) -> tuple[list[object], list[Path]]:
    told: list[Path] = []
    results = list(
        transcribe_files(recognizer, files, DecodingConfig(), long_form, on_long=lambda file, _: told.append(file))
    )
    return results, told


def test_a_bad_file_does_not_keep_the_others_from_it(recognizer: Recognizer, files: list[Path]):
    results, told = found_in(recognizer, files)
    assert [each.file for each in results] == files
    assert [each.file.stem for each in results if isinstance(each, Failure)] == ["text", "empty"]
    assert all(each.file.name in str(each.error) for each in results if isinstance(each, Failure))
    for each in results:
        if isinstance(each, FileTranscript):
            assert each.text == recognizer.transcribe(each.file)
    assert told == []


def test_groups_change_nothing(recognizer: Recognizer, files: list[Path], monkeypatch: pytest.MonkeyPatch):
    whole, _ = found_in(recognizer, files)
    texts = [each.text for each in whole if isinstance(each, FileTranscript)]
    for name, value in (("AT_ONCE", 2), ("GROUP_SECONDS", 0.6)):
        monkeypatch.setattr(f"sprachbund.serving.transcribing.{name}", value)
        results, _ = found_in(recognizer, files)
        assert [each.text for each in results if isinstance(each, FileTranscript)] == texts
        assert [each.file for each in results] == files


def test_long_recordings_are_decoded_in_chunks_and_that_is_told(recognizer: Recognizer, files: list[Path]):
    results, told = found_in(recognizer, files, LongForm(chunks=WINDOWS, longest_whole=1.0))
    assert [each.stem for each in told] == ["2"]
    assert [each.file for each in results] == files
    timed = DecodingConfig(timestamps=True)
    wanted = transcribe_long(lambda sounds: recognizer.transcribe_waveforms(sounds, timed), files[3], WINDOWS)
    (long,) = [each for each in results if isinstance(each, FileTranscript) and each.file == files[3]]
    assert (long.text, long.words) == (wanted.text, wanted.words)
    assert len(long.facts["chunks"]) >= 2
    short = [each for each in results if isinstance(each, FileTranscript) and each.file != files[3]]
    assert [each.text for each in short] == [recognizer.transcribe(each.file) for each in short]


def test_all_are_decoded_in_chunks_where_that_is_wanted(recognizer: Recognizer, files: list[Path]):
    results, told = found_in(recognizer, files, LongForm(chunks=WINDOWS, longest_whole=0.0))
    assert len(told) == 5
    assert all("chunks" in each.facts for each in results if isinstance(each, FileTranscript))
    assert [each.file.stem for each in results if isinstance(each, Failure)] == ["text", "empty"]


def test_silence_in_chunks_says_nothing(recognizer: Recognizer, tmp_path: Path):
    write_audio(tmp_path / "silence.wav", np.zeros(32_000, np.float32))
    ((result,), _) = found_in(
        recognizer, [tmp_path / "silence.wav"], LongForm(chunks=LongFormConfig(), longest_whole=0)
    )
    assert isinstance(result, FileTranscript)
    assert (result.text, result.words) == ("", ())


def test_what_concerns_all_files_ends_it(recognizer: Recognizer, files: list[Path]):
    import torch

    broken = recognizers.outspoken_recognizer()
    with torch.no_grad():
        broken.model.ctc_head.weight.fill_(torch.nan)
    with pytest.raises(CheckpointError, match="not numbers"):
        found_in(broken, files)


def test_nothing_gives_nothing(recognizer: Recognizer):
    assert found_in(recognizer, []) == ([], [])
