"""What a model that was fine-tuned for translation writes of files."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from sprachbund.checkpoints.store import read_header
from sprachbund.decoding.recognition.config import DecodingConfig
from sprachbund.decoding.recognition.recognizer import Recognizer
from sprachbund.decoding.times.chunks import LongFormConfig, iterate_chunks
from sprachbund.errors import CheckpointError
from sprachbund.serving.load import load
from sprachbund.serving.transcribing import Failure, LongForm, transcribe_files
from sprachbund.serving.transcripts import FileTranscript


def load_translator(folder: Path | str) -> Recognizer:
    """The translator in a model folder.

    Raises:
        CheckpointError: the folder is not a sound model folder, or its model was trained for something else.
    """
    stage = read_header(Path(folder))["facts"].get("stage", "translation")  # converted models tell none
    translator = load(folder)
    if stage != "translation" or not translator.model.has_text_decoder:
        given = f"stage {stage}" if translator.model.has_text_decoder else "no text decoder"
        mend = "Fine-tune it with a recipe of the task translation: `sprachbund finetune`."
        raise CheckpointError("this model does not translate", where=folder, given=given, mend=mend)
    return translator


def translate_files(
    translator: Recognizer,
    files: Sequence[Path],
    config: DecodingConfig,
    long_form: LongForm,
    *,
    on_long: Callable[[Path, float], None],
) -> Iterator[FileTranscript | Failure]:
    """Translate files, in their order; see `transcribe_files`.

    The chunks of a long recording are translated one by one and do not overlap: a translation has its words in an order
    of its own, so that two of them could not be joined.
    """
    return transcribe_files(translator, files, config, long_form, on_long=on_long, decode_long=_translate_long)


def _translate_long(
    translator: Recognizer, file: Path, config: DecodingConfig, chunks: LongFormConfig
) -> FileTranscript:
    cut = iterate_chunks(file, replace(chunks, overlap_seconds=0.0))
    parts = []
    while group := list(islice(cut, chunks.at_once)):
        found = translator.transcribe_waveforms([chunk.waveform for chunk in group], config)
        parts += [
            {"start": round(chunk.start, 3), "end": round(chunk.end, 3), "text": one.text}
            for chunk, one in zip(group, found, strict=True)
        ]
    return FileTranscript(file, " ".join(str(part["text"]) for part in parts if part["text"]), None, {"chunks": parts})
