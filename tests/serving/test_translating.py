from pathlib import Path

import pytest

import tiny
import translated
from recognizers import waveforms, write_recognizer
from sprachbund.decoding.recognition.recognizer import Recognizer
from sprachbund.decoding.times.chunks import LongFormConfig, iterate_chunks
from sprachbund.decoding.translation import translation_search
from sprachbund.errors import AudioError, CheckpointError
from sprachbund.serving.transcribing import Failure, LongForm
from sprachbund.serving.transcripts import FileTranscript
from sprachbund.serving.translating import load_translator, translate_files
from sprachbund.signal.audio import write_audio

SEARCH = translation_search(beam=2)
WINDOWS = LongFormConfig(kind="windows", chunk_seconds=1.0, overlap_seconds=0.25, at_once=2)


@pytest.fixture(scope="module")
def translator(tmp_path_factory: pytest.TempPathFactory) -> Recognizer:
    return load_translator(translated.write_translator(tmp_path_factory.mktemp("translating") / "model"))


def test_what_was_trained_for_something_else_is_refused(tmp_path: Path):
    pretrained = translated.write_pretrained(tmp_path / "pretrained", "speechut")
    recognizer = translated.write_translator(tmp_path / "recognizer", stage="recognition")
    encoder = tiny.write_hubert_folder(
        tmp_path / "encoder", num_units=None, vocab_size=len(tiny.character_tokenizer().vocabulary)
    )
    for folder, stage in (
        (pretrained, "unit pretraining"),
        (recognizer, "recognition"),
        (write_recognizer(tmp_path / "speecht5"), "recognition"),
        (encoder, "no text decoder"),
    ):
        with pytest.raises(CheckpointError, match=f"does not translate.*{stage}.*task translation"):
            load_translator(folder)


def test_a_converted_model_says_nothing_of_its_stage_and_is_taken(tmp_path: Path):
    assert load_translator(translated.write_translator(tmp_path / "converted", stage=None)).model.has_text_decoder


def test_bad_files_are_told_and_long_ones_translated_in_chunks(translator: Recognizer, tmp_path: Path):
    for number, sound in enumerate(waveforms((4000, 20_000, 3000))):
        write_audio(tmp_path / f"{number}.wav", sound)
    (tmp_path / "bad.wav").write_text("no sound")
    files = [tmp_path / f"{name}.wav" for name in ("0", "bad", "1", "2")]
    told: list[Path] = []
    found = list(
        translate_files(
            translator,
            files,
            SEARCH,
            LongForm(chunks=WINDOWS, longest_whole=1.0),
            on_long=lambda file, seconds: told.append(file),
        )
    )
    assert [each.file for each in found] == files and told == [files[2]]
    assert [isinstance(each, Failure) for each in found] == [False, True, False, False]
    short = [each for each in found if isinstance(each, FileTranscript) and each.file != files[2]]
    assert [each.text for each in short] == [translator.transcribe(each.file, SEARCH) for each in short]
    long = found[2]
    assert isinstance(long, FileTranscript) and long.words is None
    # Each chunk alone, none of them with what another has heard.
    chunks = list(iterate_chunks(files[2], LongFormConfig(kind="windows", chunk_seconds=1.0, overlap_seconds=0.0)))
    texts = [translator.transcribe_waveforms([chunk.waveform], SEARCH)[0].text for chunk in chunks]
    assert len(texts) == 2 and any(texts)
    assert [part["text"] for part in long.facts["chunks"]] == texts
    assert [(part["start"], part["end"]) for part in long.facts["chunks"]] == [(0.0, 1.0), (1.0, 1.25)]
    assert long.text == " ".join(text for text in texts if text)


def test_a_long_recording_that_breaks_is_a_failure(
    translator: Recognizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    write_audio(tmp_path / "long.wav", tiny.tone(24_000))

    def broken(*arguments: object) -> object:
        raise AudioError("broken off", where="long.wav")

    monkeypatch.setattr("sprachbund.serving.translating.iterate_chunks", broken)
    whole = LongForm(chunks=WINDOWS, longest_whole=0.5)
    (found,) = translate_files(translator, [tmp_path / "long.wav"], SEARCH, whole, on_long=lambda file, seconds: None)
    assert isinstance(found, Failure) and "broken off" in str(found.error)
