"""A model and its tokenizer as one thing that turns recordings into text."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import torch

from sprachbund.decoding.hypothesis import Hypothesis
from sprachbund.decoding.language.models import LanguageModel, load_language_model, load_lexicon
from sprachbund.decoding.recognition.config import DecodingConfig
from sprachbund.decoding.recognition.encoding import EncodedRecordings, collate_waveforms, encode_recordings
from sprachbund.decoding.recognition.methods import (
    Fused,
    Symbols,
    add_confidences,
    automaton_of,
    ctc_of,
    search_transcripts,
)
from sprachbund.decoding.recognition.transcript import Alternative, Transcript
from sprachbund.decoding.times.attention_alignment import attention_word_times
from sprachbund.decoding.times.ctc_alignment import ctc_word_times
from sprachbund.decoding.times.timestamps import WordTime
from sprachbund.errors import RecipeError
from sprachbund.models.speech_encoder import SpeechEncoder
from sprachbund.models.text_decoding import TextDecoding
from sprachbund.shapes import Array, Float, Tensor
from sprachbund.signal.audio import read_audio
from sprachbund.tokens.text import TextTokenizer
from sprachbund.tokens.vocabulary import BOS, PAD, UNK

Source = Path | str | bytes


class Recognizer:
    """Transcribes recordings with a fine-tuned model.

    Args:
        model: with a CTC head or a text decoder; in evaluation mode from here on.
        tokenizer: of the text the model was trained on.
    """

    def __init__(self, model: SpeechEncoder, tokenizer: TextTokenizer) -> None:
        self.model, self.tokenizer = model.eval(), tokenizer
        vocabulary = tokenizer.vocabulary
        # Nothing but text may be said: no mark, no mask, no blank.
        self._symbols = Symbols(model.config.blank, frozenset({BOS, PAD, UNK, *vocabulary.added_ids}))
        self._language_models = dict[tuple[str, str], LanguageModel]()  # by kind and path

    def transcribe(self, source: Source, config: DecodingConfig | None = None) -> str:
        """The text of one recording: a file name, or the bytes of a file.

        Raises:
            AudioError: it cannot be read.
        """
        return self.transcribe_waveforms([read_audio(source)], config)[0].text

    def transcribe_many(self, sources: Iterable[Source], config: DecodingConfig | None = None) -> list[Transcript]:
        """Transcripts of many recordings, in their order; recordings of like length are decoded together."""
        return self.transcribe_waveforms([read_audio(source) for source in sources], config)

    def transcribe_waveforms(
        self, waveforms: Sequence[Float[Array, " _"]], config: DecodingConfig | None = None
    ) -> list[Transcript]:
        """Transcripts of waveforms at 16 kHz, in their order.

        Raises:
            RecipeError: as `prepare`.
        """
        config = config or DecodingConfig()
        self.prepare(config)
        # A recording shorter than one frame says nothing.
        nothing = Transcript("", 0.0, 1.0, 0, words=() if config.timestamps else None)
        transcripts = [nothing for _ in waveforms]
        for encoded in self.encode(waveforms, config):
            for place, transcript in zip(encoded.places, self.decode(encoded, config), strict=True):
                transcripts[place] = transcript
        return transcripts

    def prepare(self, config: DecodingConfig) -> None:
        """Load the language models that `config` names, each only once, and refuse early what cannot be done.

        Raises:
            CheckpointError: a language model cannot be had.
            RecipeError: a text decoder or a CTC head is wanted of a model that has none, or the method cannot use a
                language model.
            VocabularyError: a language model of another vocabulary.
        """
        times_by = config.times_by if config.timestamps else None
        if not self.model.has_text_decoder:
            if config.method in ("attention", "joint"):
                given, mend = f"decoder {config.method}", "Decode with ctc: `--decoder ctc`."
                raise RecipeError("this model has no text decoder", given=given, mend=mend)
            if times_by == "attention":
                given, mend = "times by attention", "Place the words by CTC: `--times ctc`."
                raise RecipeError("this model has no text decoder", given=given, mend=mend)
        if self.model.config.blank is None:
            if config.method != "attention":
                given, mend = f"decoder {config.method}", "Decode with its text decoder: `--decoder attention`."
                raise RecipeError("this model has no CTC head", given=given, mend=mend)
            if times_by == "ctc":
                given, mend = "times by CTC", "Place the words by attention: `--times attention`."
                raise RecipeError("this model has no CTC head", given=given, mend=mend)
        fused = self._fused(config)
        if config.method == "ctc-beam":
            automaton_of(fused)

    def encode(self, waveforms: Sequence[Float[Array, " _"]], config: DecodingConfig) -> Iterator[EncodedRecordings]:
        """Waveforms through the encoder, batch by batch; those below one frame are in none."""
        return encode_recordings(
            self.model,
            waveforms,
            blank=self._symbols.blank,
            batch_seconds=config.batch_seconds,
            precision=config.precision,
        )

    @torch.no_grad()
    def decode(self, encoded: EncodedRecordings, config: DecodingConfig) -> list[Transcript]:
        """The transcripts of encoded recordings, in their order."""
        found = search_transcripts(self.model, encoded, config, self._symbols, self._fused(config))
        frames, blanks = encoded.memory.lengths.tolist(), encoded.blanks
        transcripts = [
            Transcript(
                text=self.tokenizer.decode(hypotheses[0].tokens),
                score=hypotheses[0].score,
                blank_rate=None if blanks is None else blanks[row] / max(frames[row], 1),
                num_frames=frames[row],
                alternatives=self._alternatives(hypotheses) if config.num_best else (),
            )
            for row, hypotheses in enumerate(found)
        ]
        if not config.timestamps:
            return transcripts
        hypotheses = add_confidences(encoded, [one[0] for one in found], self._symbols)
        return _timed(transcripts, hypotheses, self._word_times(encoded, hypotheses, config))

    def collate(self, waveforms: Sequence[Float[Array, " _"]]) -> tuple[Float[Tensor, "batch sample"], Tensor]:
        """Waveforms side by side as the model wants them, and their lengths."""
        device = next(self.model.parameters()).device
        return collate_waveforms(waveforms, is_normalized=self.model.config.is_normalized, device=device)

    def _fused(self, config: DecodingConfig) -> list[Fused]:
        """The language models and the lexicon, from the disk where they are new."""
        fused = [
            Fused(self._loaded("model", named.path, load_language_model), named.weight)
            for named in config.language_models
        ]
        if config.lexicon is not None:
            # It forbids and says nothing else, so that any weight would do.
            fused.append(Fused(self._loaded("lexicon", config.lexicon, load_lexicon), 1.0))
        return fused

    def _loaded(self, kind: str, path: str, load: Callable[[str, TextTokenizer], LanguageModel]) -> LanguageModel:
        if (kind, path) not in self._language_models:
            self._language_models[kind, path] = load(path, self.tokenizer)
        return self._language_models[kind, path]

    def _alternatives(self, hypotheses: Sequence[Hypothesis]) -> tuple[Alternative, ...]:
        return tuple(Alternative(self.tokenizer.decode(one.tokens), one.score, one.parts) for one in hypotheses)

    def _word_times(
        self, encoded: EncodedRecordings, hypotheses: Sequence[Hypothesis], config: DecodingConfig
    ) -> list[tuple[WordTime, ...]]:
        if config.times_by == "ctc":
            ctc = ctc_of(encoded, self._symbols)
            assert ctc is not None, "checked before"
            return ctc_word_times(ctc, hypotheses, self.tokenizer)
        assert isinstance(self.model, TextDecoding), "checked before"
        return attention_word_times(self.model, encoded.memory, hypotheses, self.tokenizer)


def _timed(
    transcripts: Sequence[Transcript], hypotheses: Sequence[Hypothesis], words: Sequence[tuple[WordTime, ...]]
) -> list[Transcript]:
    """The transcripts with their words in time, and how sure CTC is of them."""
    confidences = [fmean(one.confidences) if one.confidences else None for one in hypotheses]
    return [
        replace(transcript, words=placed, confidence=confidence)
        for transcript, placed, confidence in zip(transcripts, words, confidences, strict=True)
    ]
