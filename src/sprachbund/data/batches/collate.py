"""Plans -> batches: audio read, cropped, augmented, masked and padded; text noised and padded.

Each collator is called with a plan and the number of the draw. Everything random is seeded by run seed, draw and
item id, so an item is treated alike in whatever worker and beside whatever neighbours it is collated.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from lhotse.cut import Cut

from sprachbund.data.batches.augmentation import Augmenter
from sprachbund.data.batches.batch import SpeechBatch, TextBatch, TranscribedBatch
from sprachbund.data.batches.crops import LabelledCrops
from sprachbund.data.batches.masking import SpanMasking, codebook_positions, derived_seed, row_generator
from sprachbund.data.batches.rows import (
    drawn_channel_mask,
    drawn_time_mask,
    encoder_inputs,
    pad,
    row_lengths,
    shift_right,
    unit_rows,
)
from sprachbund.data.batches.text_noise import NoisedText, TextInfilling, infill
from sprachbund.data.storage.waveforms import read_waveform
from sprachbund.data.streams import TextLine
from sprachbund.errors import DataError
from sprachbund.shapes import Array, Float, Tensor
from sprachbund.signal.features import log_mel, normalize_waveform
from sprachbund.tokens.text import TextTokenizer
from sprachbund.tokens.vocabulary import BOS, EOS, PAD

SAMPLING_RATE = 16000
SPEAKER_FIELD = "speaker_embedding"


@dataclass(frozen=True, kw_only=True)
class SpeechCollator:
    """Unlabelled speech: a crop of each clip with its units, log-mel targets and masks.

    With an augmenter the encoder hears the distorted crop, while units and log-mel stay those of the clean one, so that
    the model learns to denoise (WavLM, section III-B).
    """

    seed: int
    crops: LabelledCrops
    masking: SpanMasking
    codebook_probability: float
    speaker_dim: int
    is_normalized: bool = False
    augmenter: Augmenter | None = None

    def __call__(self, cuts: Sequence[Cut], draw: int) -> SpeechBatch:
        """Collate the cuts of one plan."""
        crops = [self.crops(cut, row_generator(self.seed, draw, cut.id, "crop")) for cut in cuts]
        waveforms = [waveform for waveform, _ in crops]
        # Targets are spectra of the sound as recorded, whatever the encoder is given.
        mels = [torch.from_numpy(log_mel(waveform)) for waveform in waveforms]
        inputs = encoder_inputs(waveforms, cuts, draw, self.augmenter, self.is_normalized)
        masked = drawn_time_mask(self.masking, self.seed, cuts, waveforms, draw)
        positions = row_generator(self.seed, draw, "", "codebook positions")
        return SpeechBatch(
            ids=tuple(cut.id for cut in cuts),
            waveforms=pad([torch.from_numpy(waveform) for waveform in inputs]),
            waveform_lengths=row_lengths(inputs),
            units=unit_rows([units for _, units in crops]),
            time_mask=masked,
            mels=pad(mels),
            mel_lengths=row_lengths(mels),
            speaker_embeddings=torch.stack([speaker_embedding(cut, self.speaker_dim) for cut in cuts]),
            codebook_positions=torch.from_numpy(
                codebook_positions(masked.shape[1], self.codebook_probability, positions)
            ),
            seed=derived_seed(self.seed, draw, "", "quantizer"),
        )


@dataclass(frozen=True, kw_only=True)
class TextCollator:
    """Text infilling: a noised line and the line itself."""

    seed: int
    noise: TextInfilling
    codebook_probability: float

    def __call__(self, lines: Sequence[TextLine], draw: int) -> TextBatch:
        """Collate the lines of one plan."""
        noised = [self._infill(line, draw) for line in lines]
        sources, targets = [pair.source for pair in noised], [pair.target for pair in noised]
        tokens = pad(sources, PAD)
        positions = row_generator(self.seed, draw, "", "text codebook positions")
        return TextBatch(
            ids=tuple(line.id for line in lines),
            tokens=tokens,
            token_lengths=row_lengths(sources),
            decoder_input=pad([shift_right(target) for target in targets], PAD),
            targets=pad(targets, PAD),
            target_lengths=row_lengths(targets),
            codebook_positions=torch.from_numpy(
                codebook_positions(tokens.shape[1], self.codebook_probability, positions)
            ),
            seed=derived_seed(self.seed, draw, "", "text quantizer"),
        )

    def _infill(self, line: TextLine, draw: int) -> NoisedText:
        generator = torch.Generator().manual_seed(derived_seed(self.seed, draw, line.id, "text noise"))
        tokens = torch.tensor([BOS, *line.tokens.tolist(), EOS])
        return infill(tokens, self.noise, generator)


@dataclass(frozen=True, kw_only=True)
class TranscribedCollator:
    """Speech with its transcript; masks and augmentation only where they are given."""

    seed: int
    tokenizer: TextTokenizer
    time_masking: SpanMasking | None = None
    channel_masking: SpanMasking | None = None
    num_channels: int = 0
    is_normalized: bool = False
    augmenter: Augmenter | None = None

    def __call__(self, cuts: Sequence[Cut], draw: int) -> TranscribedBatch:
        """Collate the cuts of one plan."""
        waveforms = [self._waveform(cut, draw) for cut in cuts]
        if self.is_normalized:
            waveforms = [normalize_waveform(waveform) for waveform in waveforms]
        targets = [torch.tensor([*self.tokenizer.encode(transcript_of(cut)), EOS]) for cut in cuts]
        return TranscribedBatch(
            ids=tuple(cut.id for cut in cuts),
            waveforms=pad([torch.from_numpy(waveform) for waveform in waveforms]),
            waveform_lengths=row_lengths(waveforms),
            time_mask=None
            if self.time_masking is None
            else drawn_time_mask(self.time_masking, self.seed, cuts, waveforms, draw),
            channel_mask=drawn_channel_mask(self.channel_masking, self.num_channels, self.seed, cuts, draw),
            decoder_input=pad([shift_right(target) for target in targets], PAD),
            targets=pad(targets, PAD),
            target_lengths=row_lengths(targets),
        )

    def _waveform(self, cut: Cut, draw: int) -> Float[Array, " sample"]:
        waveform = read_waveform(cut)
        if self.augmenter is None:
            return waveform
        return self.augmenter.distort(self.augmenter.change_speed(waveform, cut, draw), cut, draw)


def transcript_of(cut: Cut) -> str:
    """The text of a cut's one supervision.

    Raises:
        DataError: there is none, or more than one.
    """
    texts = [supervision.text for supervision in cut.supervisions if supervision.text is not None]
    if len(texts) != 1:
        raise DataError(
            "a cut does not have exactly one transcript",
            where=f"cut {cut.id}",
            given=f"{len(texts)} transcripts",
            mend="Cut the recording by its supervisions first, and leave out what has no text.",
        )
    return str(texts[0])


def has_speaker_embedding(cut: Cut) -> bool:
    """Whether the cut brings a speaker vector of its own."""
    return SPEAKER_FIELD in (getattr(cut, "custom", None) or {})


def speaker_embedding(cut: Cut, dim: int) -> Float[Tensor, " dim"]:
    """The speaker vector that a cut brings, else zeros.

    Raises:
        DataError: the vector has another size than the model wants.
    """
    if not has_speaker_embedding(cut):
        return torch.zeros(dim)
    try:
        vector = torch.from_numpy(np.asarray(cut.load_custom(SPEAKER_FIELD), dtype=np.float32)).flatten()
    except (OSError, EOFError, TypeError, ValueError) as error:
        mend = "Compute the vectors again, or remove them from the manifest."
        raise DataError("a speaker vector cannot be read", where=f"cut {cut.id}", given=error, mend=mend) from error
    if len(vector) != dim:
        raise DataError(
            "a speaker vector has another size than the model wants",
            where=f"cut {cut.id}",
            given=f"{len(vector)} instead of {dim}",
            mend="Set speaker_dim of the model, or compute the vectors again.",
        )
    return vector
