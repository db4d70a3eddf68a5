"""A model and its tokenizer as one thing that turns recordings into text."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import torch

from sprachbund.decoding.attention import decode_attention
from sprachbund.decoding.ctc import count_blanks, greedy_ctc
from sprachbund.decoding.hypothesis import Hypothesis
from sprachbund.decoding.roles import BeamConfig
from sprachbund.errors import RecipeError
from sprachbund.lengths import frames_from_samples, samples_per_frame
from sprachbund.models.speech_encoder import SpeechEncoder
from sprachbund.models.speecht5.model import SpeechT5
from sprachbund.nn.precision import Precision, mixed_precision
from sprachbund.shapes import Array, Float, Tensor
from sprachbund.signal.audio import SAMPLING_RATE, read_audio
from sprachbund.signal.features import normalize_waveform
from sprachbund.tokens.text import TextTokenizer
from sprachbund.tokens.vocabulary import BOS, EOS, PAD, UNK

Source = Path | str | bytes
Method = Literal["ctc", "attention"]


@dataclass(frozen=True, kw_only=True)
class DecodingConfig:
    """How transcripts are searched for.

    Raises:
        RecipeError: there is no such method.
    """

    method: Method = "ctc"
    beam: int = 5  # attention only
    length_penalty: float = 1.0  # attention only
    tokens_per_second: float = 25.0  # attention only: longest transcript, faster than anyone spells
    batch_seconds: float = 120.0  # recordings decoded side by side, padding included
    precision: Precision = "float32"  # of the encoder, which takes most of the time

    def __post_init__(self) -> None:
        if self.method not in get_args(Method):
            raise RecipeError(
                "there is no such decoder", given=self.method, mend=f"Known are: {', '.join(get_args(Method))}."
            )


@dataclass(frozen=True)
class Transcript:
    """What was recognised in one recording."""

    text: str
    score: float  # log-probability of the CTC path, or the length-normalised one of the attention beam
    blank_rate: float  # share of frames on which CTC says nothing
    num_frames: int


class Recognizer:
    """Transcribes recordings with a fine-tuned model.

    Args:
        model: with a CTC head; in evaluation mode from here on.
        tokenizer: of the text the model was trained on.
    """

    def __init__(self, model: SpeechEncoder, tokenizer: TextTokenizer) -> None:
        self.model, self.tokenizer = model.eval(), tokenizer
        vocabulary = tokenizer.vocabulary
        # Nothing but text may be said: no mark, no mask, no blank.
        self._specials = {BOS, PAD, UNK, *vocabulary.added_ids}

    def transcribe(self, source: Source, config: DecodingConfig | None = None) -> str:
        """The text of one recording: a file name, or the bytes of a file.

        Raises:
            AudioError: it cannot be read.
        """
        return self.transcribe_waveforms([read_audio(source)], config)[0].text

    def transcribe_many(self, sources: Iterable[Source], config: DecodingConfig | None = None) -> list[Transcript]:
        """Transcripts of many recordings, in their order; recordings of like length are decoded together."""
        return self.transcribe_waveforms([read_audio(source) for source in sources], config)

    @torch.no_grad()
    def transcribe_waveforms(
        self, waveforms: Sequence[Float[Array, " _"]], config: DecodingConfig | None = None
    ) -> list[Transcript]:
        """Transcripts of waveforms at 16 kHz, in their order.

        Raises:
            RecipeError: the attention beam is wanted of a model without a text decoder.
        """
        config = config or DecodingConfig()
        if config.method == "attention" and not isinstance(self.model, SpeechT5):
            raise RecipeError(
                "this model has no text decoder", given="decoder attention", mend="Decode with ctc: `--decoder ctc`."
            )
        # A recording shorter than one frame says nothing.
        transcripts = [Transcript("", 0.0, 1.0, 0) for _ in waveforms]
        for batch in _batches([len(waveform) for waveform in waveforms], config.batch_seconds):
            chosen = [number for number in batch if frames_from_samples(len(waveforms[number])) > 0]
            if chosen:
                decoded = self._decode([waveforms[number] for number in chosen], config)
                for number, transcript in zip(chosen, decoded, strict=True):
                    transcripts[number] = transcript
        return transcripts

    def _decode(self, waveforms: Sequence[Float[Array, " _"]], config: DecodingConfig) -> list[Transcript]:
        batch, lengths = self.collate(waveforms)
        with mixed_precision(batch.device, config.precision):
            encoded = self.model.encode_speech(batch, lengths)
            logits = self.model.ctc_logits(encoded).float()
        blank = self.tokenizer.vocabulary.blank_id
        blanks = count_blanks(logits, encoded.lengths, blank).tolist()
        hypotheses: list[Hypothesis]
        if config.method == "ctc":
            hypotheses = greedy_ctc(logits, encoded.lengths, blank=blank, forbidden=self._specials | {EOS})
        else:
            assert isinstance(self.model, SpeechT5), "checked before"
            beam = BeamConfig(
                beam=config.beam,
                length_penalty=config.length_penalty,
                # A decoder that never ends must stop, but no recording is too long to be transcribed whole.
                max_tokens=sys.maxsize,
                max_tokens_per_frame=config.tokens_per_second * samples_per_frame() / SAMPLING_RATE,
                eos=EOS,
                start=EOS,
                forbidden=tuple(self._specials),
            )
            hypotheses = decode_attention(self.model, encoded, beam)
        return [
            Transcript(self.tokenizer.decode(hypothesis.tokens), hypothesis.score, silent / max(frames, 1), frames)
            for hypothesis, silent, frames in zip(hypotheses, blanks, encoded.lengths.tolist(), strict=True)
        ]

    def collate(self, waveforms: Sequence[Float[Array, " _"]]) -> tuple[Float[Tensor, "batch sample"], Tensor]:
        """Waveforms side by side as the model wants them, and their lengths."""
        device = next(self.model.parameters()).device
        if self.model.config.is_normalized:
            waveforms = [normalize_waveform(waveform) for waveform in waveforms]
        rows = [torch.from_numpy(waveform).float() for waveform in waveforms]
        lengths = torch.tensor([len(row) for row in rows], device=device)
        return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True).to(device), lengths


def _batches(lengths: Sequence[int], batch_seconds: float) -> list[list[int]]:
    """Numbers of recordings of like length, at most `batch_seconds` a batch after padding."""
    limit, batches = batch_seconds * SAMPLING_RATE, list[list[int]]()
    for number in sorted(range(len(lengths)), key=lambda place: (-lengths[place], place)):
        if batches and lengths[batches[-1][0]] * (len(batches[-1]) + 1) <= limit:
            batches[-1].append(number)
        else:
            batches.append([number])
    return batches
