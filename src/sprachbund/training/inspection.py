"""What validation of recognition or translation shows: figures of held-out clips, and some of what was written."""

from collections.abc import Callable, Sequence
from typing import Any

from sprachbund.data.batches.collate import transcript_of
from sprachbund.data.storage.waveforms import read_waveform
from sprachbund.decoding.recognition.config import DecodingConfig
from sprachbund.decoding.recognition.recognizer import Recognizer
from sprachbund.evaluation.error_rates import ErrorCounts, count_character_errors, count_word_errors
from sprachbund.models.speech_encoder import SpeechEncoder
from sprachbund.tokens.text import TextTokenizer
from sprachbund.training.distributed import process_rank
from sprachbund.training.sharding import is_sharded, whole_tensors

Score = Callable[[Sequence[str], Sequence[str]], dict[str, float]]
"""References and hypotheses to figures."""


def error_rates(references: Sequence[str], hypotheses: Sequence[str]) -> dict[str, float]:
    """Word and character error rates."""
    pairs = list(zip(references, hypotheses, strict=True))
    words, characters = (
        [count_word_errors(*pair) for pair in pairs],
        [count_character_errors(*pair) for pair in pairs],
    )
    return {"wer": _rate(words), "cer": _rate(characters)}


class RecognitionInspector:
    """Decodes held-out cuts with the model as it is.

    Args:
        model: the one in training.
        tokenizer: of its text.
        cuts: to decode; what their transcripts say is wanted.
        num_shown: how many of them are shown as text.
        config: how; None for best CTC paths, or for the usual beam of a model without a CTC head.
        score: the figures.
    """

    def __init__(
        self,
        model: SpeechEncoder,
        tokenizer: TextTokenizer,
        cuts: Sequence[Any],
        num_shown: int = 3,
        *,
        config: DecodingConfig | None = None,
        score: Score = error_rates,
    ) -> None:
        self.model, self.tokenizer, self.cuts, self.num_shown = model, tokenizer, cuts, num_shown
        has_ctc = model.config.blank is not None
        self.config = config or DecodingConfig(method="ctc" if has_ctc else "attention")
        self.score = score

    def __call__(self) -> tuple[dict[str, float], str]:
        """Figures, and a few lines to read; nothing of both in other processes than the first, but all must ask."""
        model = _whole_model(self.model)
        if process_rank() != 0:
            return {}, ""
        was_training = model.training
        waveforms = [read_waveform(cut) for cut in self.cuts]
        transcripts = Recognizer(model, self.tokenizer).transcribe_waveforms(waveforms, self.config)
        model.train(was_training)
        references = [transcript_of(cut) for cut in self.cuts]
        hypotheses = [transcript.text for transcript in transcripts]
        pairs = list(zip(references, hypotheses, strict=True))
        frames = sum(transcript.num_frames for transcript in transcripts)
        blanks = sum((transcript.blank_rate or 0.0) * transcript.num_frames for transcript in transcripts)
        shown = [
            f"  said  {reference}\n  heard {hypothesis or '(nothing)'}"
            for reference, hypothesis in pairs[: self.num_shown]
        ]
        figures = self.score(references, hypotheses)
        if self.config.method == "ctc":
            figures["blank_rate"] = blanks / max(frames, 1)
        return figures, "\n".join(shown)


def _whole_model(model: SpeechEncoder) -> SpeechEncoder:
    """The model; a copy of it where it lies in parts, which only training can gather layer by layer."""
    if not is_sharded(model):
        return model
    weights = whole_tensors(model.state_dict(), keep=process_rank() == 0)
    if process_rank() != 0:
        return model
    copy = type(model)(model.config).to(next(model.parameters()).device)
    copy.load_state_dict(weights)
    return copy


def _rate(counts: Sequence[ErrorCounts]) -> float:
    return sum(count.errors for count in counts) / max(sum(count.length for count in counts), 1)
